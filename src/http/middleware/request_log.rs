//! Middleware that opens the record of each request, sends the request id, and closes the record after the last byte of
//! the body.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use actix_cors::CorsError;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};
use bytes::Bytes;
use futures_util::FutureExt;
use tracing_actix_web::RequestId;

use super::https::RequestScheme;
use super::{cors, https};
use crate::exchange::{Outcome, Record};
use crate::http::concurrency::InFlightGuard;
use crate::http::error::ApiError;
use crate::http::headers::rate_limit::RateLimitedCaller;
use crate::http::headers::{rate_limit, trace_context};
use crate::http::routes;
use crate::http::state::{AppState, PinnedState};
use crate::identity::Caller;
use crate::telemetry::new_request_id;
use crate::upstream::SANDBOX;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-voxgate-provider");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-voxgate-attempts");

/// Records a request, and turns a panic in its handler into an error.
pub async fn record_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request.extensions().get::<RequestId>().map_or_else(new_request_id, ToString::to_string);
    // The pattern, not the path: clients can invent any number of paths.
    let route = routes::named(request.match_pattern().as_deref());
    let state = PinnedState::of(request.request());
    let record = Record::start(id.clone(), request.method().as_str(), route);
    if let Some(state) = &state {
        trace_context::begin(state, &record, (request.method(), route), request.headers(), SystemTime::now());
    }
    request.extensions_mut().insert(record.clone());

    let way = state.as_deref().map(|state| https::way(state, request.request()));
    let refused = way
        .zip(state.as_deref())
        .and_then(|(way, state)| way.check(&state.settings.fixed.server, request.path()).err());
    if let Some(error) = refused {
        let response = request.error_response(error);
        return Ok(recorded(response, record, state.as_deref().zip(way)));
    }
    let handled = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let Ok(response) = handled else {
        // The panic itself is in the log. The request still gets an answer, and no other request is affected.
        let error = ApiError::internal().header(REQUEST_ID, &id);
        record.status(error.status_code().as_u16());
        record.error(error.code());
        record.outcome(Outcome::Answered);
        return Err(error.into());
    };
    let response = response?.map_into_boxed_body();
    let denied = response.response().error().and_then(Error::as_error::<CorsError>);
    let denied = denied.map(|error| cors::refusal(response.request(), error));
    let response = if let Some(error) = denied { response.error_response(error) } else { response };
    Ok(recorded(response, record, state.as_deref().zip(way)))
}

/// Adds the common headers to an answer and keeps its record open until the body has been sent.
fn recorded(
    mut response: ServiceResponse<BoxBody>,
    record: Record,
    by: Option<(&AppState, RequestScheme)>,
) -> ServiceResponse<BoxBody> {
    if response.request().method() == Method::HEAD {
        // The server never polls a body that it does not send.
        record.outcome(Outcome::Answered);
    }
    record.status(response.status().as_u16());
    if let Some(error) = response.response().error().and_then(Error::as_error::<ApiError>) {
        error.log_internal();
        record.error(error.code());
    }
    let told = response.request().extensions().get::<RateLimitedCaller>().cloned();
    if let Some(by) = by {
        let caller = told.as_ref().map(|RateLimitedCaller(caller)| caller);
        write_headers(response.headers_mut(), &record, by, caller);
    }
    let place = response.request().extensions_mut().remove::<InFlightGuard>();
    response.map_body(|_, body| BoxBody::new(LoggedBody { body, record, place }))
}

/// Writes the headers of every answer: the request id, the provider and the number of attempts, and the caller's
/// remaining rates.
pub(in crate::http) fn write_headers(
    headers: &mut HeaderMap,
    record: &Record,
    (state, way): (&AppState, RequestScheme),
    caller: Option<&Caller>,
) {
    way.tell(&state.settings.fixed.server, headers);
    // Browsers must not guess another type: a transcript may look like a page.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&record.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(caller) = caller {
        rate_limit::write(&state.admission.allowance(caller), headers);
    }
    // A sandbox says so in every answer, even without a provider request.
    let served = record.served();
    let provider = served.as_ref().map(|(provider, _)| provider.clone());
    let provider = provider.or_else(|| state.settings.uses_sandbox().then(|| SANDBOX.to_owned()));
    if let Some(Ok(provider)) = provider.as_deref().map(HeaderValue::from_str) {
        headers.insert(PROVIDER, provider);
    }
    if let Some((_, attempts)) = served {
        headers.insert(ATTEMPTS, HeaderValue::from(attempts));
    }
}

/// Returns the record of a request that is being handled.
pub(in crate::http) fn of(request: &HttpRequest) -> Record {
    let record = request.extensions().get::<Record>().cloned();
    record.unwrap_or_else(|| Record::start(new_request_id(), request.method().as_str(), "unrecorded"))
}

/// Keeps a request's place until its answer has been sent.
pub(in crate::http) fn hold(request: &HttpRequest, place: InFlightGuard) {
    request.extensions_mut().insert(place);
}

/// A body that holds its request's record and place until it has been sent.
struct LoggedBody {
    body: BoxBody,
    record: Record,
    place: Option<InFlightGuard>,
}

impl MessageBody for LoggedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        let size = self.body.size();
        if matches!(size, BodySize::None | BodySize::Sized(0)) {
            self.record.outcome(Outcome::Answered);
        }
        size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let chunk = ready!(Pin::new(&mut self.body).poll_next(cx));
        // The server never polls a body of known size past its last byte.
        let last = match (&chunk, self.body.size()) {
            (None, _) => true,
            (Some(Ok(chunk)), BodySize::Sized(left)) => {
                left == 0 || u64::try_from(chunk.len()).is_ok_and(|n| n >= left)
            }
            _ => false,
        };
        if last {
            self.record.outcome(Outcome::Answered);
        }
        Poll::Ready(chunk)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, record, place } = self;
        match body.try_into_bytes() {
            Ok(bytes) => {
                record.outcome(Outcome::Answered);
                Ok(bytes)
            }
            Err(body) => Err(Self { body, record, place }),
        }
    }
}
