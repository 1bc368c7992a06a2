//! `GET /v1/usage`: the caller's usage of a month, the remaining budget, and the start of the next month.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::config::Plan;
use crate::domain::Month;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::{answer, query};
use crate::identity::{Caller, Scope};
use crate::ledger::{Statement, Tally};

pub(in crate::http) async fn show(request: HttpRequest, context: RequestContext) -> Result<HttpResponse, ApiError> {
    let (caller, state) = (context.identify(request.headers()).await?, context.state());
    caller.require(Scope::Usage)?;
    state.admission.check_token(&caller).await?;
    let plan = state.admission.plan(&caller)?;
    let month = requested_month(request.query_string())?;
    let statement = state.admission.statement(&caller, month).await.map_err(|failure| {
        tracing::debug!(%failure, "the usage of a caller could not be read");
        ApiError::store_away("The gateway cannot read your usage at the moment. Please try again.")
    })?;
    let in_flight = state.shared.limiter.in_flight(&caller.subject);
    let body = statement_body(&caller, plan, &statement, in_flight);
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer::json(response, &body))
}

fn requested_month(query: &str) -> Result<Option<Month>, ApiError> {
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
    let rows = |name: &str, tallies: &std::collections::BTreeMap<String, Tally>| -> Vec<Value> {
        tallies.iter().map(|(key, tally)| row(name, key, tally)).collect()
    };
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

fn row(name: &str, key: &str, tally: &Tally) -> Value {
    json!({ name: key, "requests": tally.requests, "audio_ms": tally.audio_ms, "spent_usd": tally.spent_usd })
}
