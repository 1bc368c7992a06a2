//! `Expect: 100-continue`: a client that asks before sending gets its answer before sending.
//!
//! actix writes `100 Continue` as soon as this service accepts the request, so requests that fail the preflight are
//! refused here. RFC 9110 §10.1.1.

use std::sync::Arc;
use std::time::SystemTime;

use actix_http::{HttpMessage, Request, Response};
use actix_web::body::BoxBody;
use actix_web::{HttpResponse, ResponseError};

use super::headers::common::CommonHeaders;
use super::headers::trace_context;
use super::middleware::https::RequestScheme;
use super::middleware::request_log::record_refusal;
use super::preflight::{self, PassedPreflight, RefusedHead};
use super::routes;
use super::state::AppState;
use crate::domain::Scheme;
use crate::exchange::Record;
use crate::telemetry::new_request_id;

/// Passes on a request that may send its body, with its preflight for the handler, or returns the answer that refuses
/// it.
pub async fn before_continue(state: &Arc<AppState>, request: Request) -> Result<Request, Response<BoxBody>> {
    // The router answers all other requests. One for a session has a few bytes, read after its token is checked.
    let Some(route) = routes::audio(request.method(), request.path()) else { return Ok(request) };
    let (since, server) = (SystemTime::now(), &state.settings.fixed.server);
    let connection = request.conn_data::<Scheme>().copied().unwrap_or(Scheme::Http);
    let peer = request.peer_addr().map(|peer| peer.ip());
    let scheme = RequestScheme::new(server, connection, peer, request.headers());
    let trace = trace_context::begin(state, request.method(), route.path, request.headers(), since);
    let checked = match scheme.check(server, request.path()) {
        Ok(()) => preflight::check(state, route.task, request.headers(), &trace).await,
        Err(error) => Err(RefusedHead { error, caller: None }),
    };
    let RefusedHead { error, caller } = match checked {
        Ok(preflight) => {
            let passed = PassedPreflight { state: Arc::clone(state), preflight, trace, since };
            request.extensions_mut().insert(passed);
            return Ok(request);
        }
        Err(refused) => refused,
    };
    let record = Record::start(new_request_id(), request.method().as_str(), route.path);
    record.traced(trace, since);
    if let Some(caller) = &caller {
        record.caller(caller);
    }
    record_refusal(&record, &error);
    let mut response: HttpResponse = error.error_response();
    CommonHeaders { state, scheme, record: &record, caller: caller.as_ref() }.write(response.headers_mut());
    Err(response.into())
}
