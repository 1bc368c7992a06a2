//! `GET /v1/usage`: the caller's usage of a month, the remaining budget, and the start of the next month; and
//! `GET /v1/usage/requests/{request_id}`: what one request of the caller took and cost.

use std::collections::BTreeMap;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::request_json::request_json;
use crate::config::Plan;
use crate::domain::Month;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::{answer, query};
use crate::identity::{Caller, Scope};
use crate::ledger::{Statement, Tally};
use crate::store::StoreError;

pub(in crate::http) async fn show(request: HttpRequest, context: RequestContext) -> Result<HttpResponse, ApiError> {
    let (caller, state) = (identify(&request, &context).await?, context.state());
    let plan = state.admission.plan(&caller)?;
    let month = requested_month(request.query_string())?;
    let statement = state.admission.statement(&caller, month).await.map_err(|failure| unreadable(&failure))?;
    let in_flight = state.shared.limiter.in_flight(&caller.subject);
    Ok(private(&statement_body(&caller, plan, &statement, in_flight)))
}

/// Returns one request of the caller by its id. The error must not reveal that another caller has such a request.
pub(in crate::http) async fn request(
    request: HttpRequest,
    id: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let (caller, state) = (identify(&request, &context).await?, context.state());
    let found = state.shared.limiter.request(&caller.subject, &id).await.map_err(|failure| unreadable(&failure))?;
    let entry = found.ok_or_else(|| ApiError::no_request(&id))?;
    Ok(private(&request_json(&entry)))
}

/// Identifies a caller that may read its usage.
async fn identify(request: &HttpRequest, context: &RequestContext) -> Result<Caller, ApiError> {
    let caller = context.identify(request.headers()).await?;
    caller.require(Scope::Usage)?;
    context.state().admission.check_token(&caller).await?;
    Ok(caller)
}

fn unreadable(failure: &StoreError) -> ApiError {
    tracing::debug!(%failure, "the usage of a caller could not be read");
    ApiError::store_away("The gateway cannot read your usage at the moment. Please try again.")
}

/// Builds an answer that no cache keeps.
fn private(body: &Value) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    answer::json(response, body)
}

/// Returns the month in a query.
pub(super) fn requested_month(query: &str) -> Result<Option<Month>, ApiError> {
    let Some(text) = query::single(query, "month")? else { return Ok(None) };
    text.parse().map(Some).map_err(|error| query::invalid("month", &text, &format!("{error}")))
}

fn statement_body(caller: &Caller, plan: &Plan, statement: &Statement, in_flight: u32) -> Value {
    let spent = statement.total.charge();
    let limits = json!({
        "requests_per_minute": plan.requests.map(|rate| rate.per_minute),
        "burst": plan.requests.map(|rate| rate.burst),
        "audio_seconds_per_minute": plan.audio.map(|rate| rate.per_minute.get() / 1000),
        "audio_burst_seconds": plan.audio.map(|rate| rate.burst.get() / 1000),
        "max_concurrent": plan.concurrent,
        "monthly_usd": plan.monthly_usd,
        "monthly_audio_ms": plan.monthly_audio,
    });
    let left = json!({
        "monthly_usd": plan.monthly_usd.map(|limit| limit.saturating_sub(spent.usd)),
        "monthly_audio_ms": plan.monthly_audio.map(|limit| limit.saturating_sub(spent.audio)),
    });
    json!({
        "object": "usage",
        "subject": caller.subject,
        "plan": caller.plan,
        "month": statement.month,
        "resets_at": statement.month.next().start().to_string(),
        "total": statement.total,
        "open": statement.open(),
        "in_flight": in_flight,
        "limits": limits,
        "left": left,
        "by_day": rows("day", &statement.by_day),
        "by_model": rows("model", &statement.by_model),
    })
}

/// Writes tallies, each with its name as the member `name`.
pub(super) fn rows(name: &str, tallies: &BTreeMap<String, Tally>) -> Vec<Value> {
    tallies.iter().map(|(key, tally)| row(name, key, tally)).collect()
}

/// Writes a tally of `key`.
pub(super) fn row(name: &str, key: &str, tally: &Tally) -> Value {
    json!({ name: key, "requests": tally.requests, "audio_ms": tally.audio_ms, "spent_usd": tally.spent_usd })
}
