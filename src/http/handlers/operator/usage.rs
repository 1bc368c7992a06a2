//! `GET /operator/usage`, `/operator/usage.csv` and `/operator/requests`: what all callers used in a month, and the last
//! requests. Facts only: the ledger has no content.

use std::io;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::access::OperatorAccess;
use super::answer;
use super::cache::Reading;
use super::error::OperatorError;
use crate::domain::{Month, UnixMs};
use crate::http::error::ApiError;
use crate::http::handlers::request_json::request_json;
use crate::http::handlers::usage::{requested_month, row, rows};
use crate::ledger::{Entry, Sheet, Tally, Totals, tally_cells};
use crate::store::StoreError;

/// The number of requests in the list of the last ones.
const MAX_REQUESTS: usize = 50;

/// Returns the sums of a month as JSON.
pub(in crate::http) async fn show(access: OperatorAccess, request: HttpRequest) -> Result<HttpResponse, OperatorError> {
    let Reading { at, value: totals } = totals(&access, &request).await?;
    let callers = totals.by_caller.iter().map(|caller| row("subject", caller.subject.as_str(), &caller.tally));
    Ok(answer::json(&json!({
        "object": "operator.usage",
        "month": totals.month,
        "read_at": at.get() / 1000,
        "total": totals.total(),
        "by_caller": callers.collect::<Vec<_>>(),
        "other_callers": totals.others(),
        "by_model": rows("model", &totals.by_model),
        "by_day": rows("day", &totals.by_day),
    })))
}

/// Returns the sums of a month as CSV, to be saved.
pub(in crate::http) async fn download(
    access: OperatorAccess,
    request: HttpRequest,
) -> Result<HttpResponse, OperatorError> {
    let totals = totals(&access, &request).await?.value;
    let mut sheet = Vec::new();
    write_sheet(&totals, &mut sheet).map_err(|error| {
        tracing::error!(%error, "the sheet of a month could not be written");
        ApiError::internal()
    })?;
    let disposition = format!("attachment; filename=\"voxgate-usage-{}.csv\"", totals.month);
    let mut response = answer::data(StatusCode::OK);
    response.insert_header((CONTENT_TYPE, "text/csv; charset=utf-8")).insert_header((CONTENT_DISPOSITION, disposition));
    Ok(response.body(sheet))
}

/// Returns the last requests, newest first.
pub(in crate::http) async fn requests(access: OperatorAccess) -> Result<HttpResponse, OperatorError> {
    let shared = &access.state().shared;
    let Reading { at, value: entries } = shared
        .operator_cache
        .recent
        .get((), shared.limiter.recent(MAX_REQUESTS))
        .await
        .map_err(|failure| away(&failure))?;
    let data: Vec<_> = entries.iter().map(request_of_caller).collect();
    Ok(answer::json(&json!({ "object": "list", "read_at": at.get() / 1000, "data": data })))
}

/// Returns the sums of the month in the query, or of this month.
async fn totals(access: &OperatorAccess, request: &HttpRequest) -> Result<Reading<Totals>, OperatorError> {
    let month = requested_month(request.query_string())?.unwrap_or_else(|| Month::of(UnixMs::now()));
    let shared = &access.state().shared;
    let totals = shared.operator_cache.totals.get(month, shared.limiter.totals(month)).await;
    Ok(totals.map_err(|failure| away(&failure))?)
}

fn away(failure: &StoreError) -> ApiError {
    tracing::debug!(%failure, "the usage of all callers could not be read");
    ApiError::store_away("The gateway cannot read the usage at the moment. Please try again.")
}

fn request_of_caller(entry: &Entry) -> Value {
    let mut request = request_json(entry);
    if let Value::Object(members) = &mut request {
        members.insert("subject".to_owned(), json!(entry.subject));
        members.insert("plan".to_owned(), json!(entry.info.plan));
    }
    request
}

/// Writes the sums as one sheet. The first column names the kind of each line.
fn write_sheet(totals: &Totals, out: &mut Vec<u8>) -> io::Result<()> {
    let mut sheet = Sheet::new(out);
    sheet.head(["part", "name", "requests", "audio_ms", "spent_usd"])?;
    let mut line = |part: &str, name: &str, tally: Tally| {
        let [requests, audio, spent] = tally_cells(tally);
        sheet.row([part.to_owned(), name.to_owned(), requests, audio, spent])
    };
    line("total", "", totals.total())?;
    for caller in &totals.by_caller {
        line("caller", caller.subject.as_str(), caller.tally)?;
    }
    if totals.others() != Tally::default() {
        line("other callers", "", totals.others())?;
    }
    for (model, tally) in &totals.by_model {
        line("model", model, *tally)?;
    }
    for (day, tally) in &totals.by_day {
        line("day", day, *tally)?;
    }
    sheet.flush()
}
