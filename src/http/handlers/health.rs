//! The health probes: liveness, and readiness for requests.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::json;

use crate::http::answer;
use crate::http::state::{AppState, CurrentState};
use crate::store::Availability;

/// The word for a gateway that accepts requests.
const READY: &str = "ready";

pub(in crate::http) async fn live() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    answer::json(response, &json!({ "status": "live" }))
}

/// Returns true if [`ready`] answers with success.
pub(in crate::http) fn is_ready(state: &AppState) -> bool {
    status_word(state) == READY
}

/// Answers the readiness probe. Fails while the gateway stops and finishes requests in flight, and while the store is
/// unreachable and no request may pass without it. A load balancer then uses another replica.
pub(in crate::http) async fn ready(current: Data<CurrentState>) -> HttpResponse {
    let state = current.current();
    let status = status_word(&state);
    let mut response = if status == READY { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((CACHE_CONTROL, "no-store"));
    let store = store_word(state.shared.limiter.availability());
    answer::json(response, &json!({ "status": status, "store": store }))
}

/// Returns the word for the readiness of the gateway.
pub(super) fn status_word(state: &AppState) -> &'static str {
    if state.shared.is_stopping() {
        "stopping"
    } else if state.shared.limiter.is_unavailable() {
        "store_unavailable"
    } else {
        READY
    }
}

/// Returns the word for the availability of the store.
pub(super) const fn store_word(availability: Availability) -> &'static str {
    match availability {
        Availability::Up => "ready",
        Availability::Degraded => "partly_away",
        Availability::Down => "away",
    }
}
