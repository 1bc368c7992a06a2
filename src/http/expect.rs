//! `Expect: 100-continue`: a client that asks before sending gets its answer before sending.
//!
//! actix writes `100 Continue` as soon as this service accepts the request, so requests that fail the preflight are
//! refused here. RFC 9110 §10.1.1.

use std::time::SystemTime;

use actix_http::{HttpMessage, Request, Response};
use actix_web::body::BoxBody;
use actix_web::{HttpResponse, ResponseError};

use super::headers::trace_context;
use super::middleware::https::RequestScheme;
use super::middleware::request_log::write_headers;
use super::preflight;
use super::state::AppState;
use crate::domain::Scheme;
use crate::domain::terms::Task;
use crate::exchange::{Outcome, Record};
use crate::identity::Caller;
use crate::telemetry::new_request_id;
use crate::telemetry::traces::Trace;

/// Passes on a request that may send its body, or returns the answer that refuses it.
pub async fn before_continue(state: &AppState, request: Request) -> Result<Request, Response<BoxBody>> {
    let (task, route) = match request.path() {
        "/v1/audio/transcriptions" => (Task::Transcribe, "/v1/audio/transcriptions"),
        "/v1/audio/translations" => (Task::Translate, "/v1/audio/translations"),
        // The router answers these. A request for a session has a few bytes, read after its token is checked.
        _ => return Ok(request),
    };
    if request.method() != actix_web::http::Method::POST {
        return Ok(request);
    }
    let (since, server) = (SystemTime::now(), &state.settings.fixed.server);
    let scheme = request.conn_data::<Scheme>().copied().unwrap_or(Scheme::Http);
    let way = RequestScheme::of(server, scheme, request.peer_addr().map(|peer| peer.ip()), request.headers());
    let mut known = None;
    let checked = match way.check(server, request.path()) {
        Ok(()) => {
            // The router begins the trace of a request that passes.
            let note = |caller: &Caller| known = Some(caller.clone());
            preflight::check(state, task, request.headers(), &Trace::default(), note).await.err()
        }
        Err(error) => Some(error),
    };
    let Some(error) = checked else { return Ok(request) };
    let record = Record::start(new_request_id(), request.method().as_str(), route);
    trace_context::begin(state, &record, (request.method(), route), request.headers(), since);
    if let Some(caller) = &known {
        record.caller(caller);
    }
    record.status(error.status_code().as_u16());
    record.error(error.code());
    record.outcome(Outcome::Answered);
    let mut response: HttpResponse = error.error_response();
    write_headers(response.headers_mut(), &record, (state, way), known.as_ref());
    Err(response.into())
}
