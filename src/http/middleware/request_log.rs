//! Middleware that creates the context of each request, sends the request id, and closes the record after the last byte
//! of the body.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use actix_cors::CorsError;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, ResponseError};
use bytes::Bytes;
use futures_util::FutureExt;
use tracing_actix_web::RequestId;

use super::cors;
use super::https::RequestScheme;
use crate::exchange::{Outcome, Record};
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::headers::common::REQUEST_ID;
use crate::http::headers::trace_context;
use crate::http::preflight::PassedPreflight;
use crate::http::routes;
use crate::http::state::CurrentState;
use crate::telemetry::new_request_id;

/// Records a request, and turns a panic in its handler into an error.
pub async fn record_requests(
    current: Data<CurrentState>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let context = begin(&request, &current);
    request.extensions_mut().insert(context.clone());
    if let Err(error) = context.check_scheme(request.path()) {
        return Ok(recorded(request.error_response(error), context));
    }
    let handled = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let Ok(response) = handled else {
        // The panic itself is in the log. The request still gets an answer, and no other request is affected.
        let record = context.record();
        let error = ApiError::internal().header(REQUEST_ID, &record.request_id());
        record_refusal(record, &error);
        return Err(error.into());
    };
    let response = response?.map_into_boxed_body();
    let denied = response.response().error().and_then(Error::as_error::<CorsError>);
    let denied = denied.map(|error| cors::refusal(response.request(), error));
    let response = if let Some(error) = denied { response.error_response(error) } else { response };
    Ok(recorded(response, context))
}

/// Creates the context of a request.
fn begin(request: &ServiceRequest, current: &CurrentState) -> RequestContext {
    let id = request.extensions().get::<RequestId>().map_or_else(new_request_id, ToString::to_string);
    // The pattern, not the path: clients can invent any number of paths.
    let route = routes::name_of(request.match_pattern().as_deref());
    let record = Record::start(id, request.method().as_str(), route);
    let passed = request.extensions_mut().remove::<PassedPreflight>();
    let (state, preflight) = if let Some(PassedPreflight { state, preflight, trace, since }) = passed {
        record.traced(trace, since);
        (state, Some(preflight))
    } else {
        let (state, since) = (current.current(), SystemTime::now());
        record.traced(trace_context::begin(&state, request.method(), route, request.headers(), since), since);
        (state, None)
    };
    let scheme = RequestScheme::of_request(&state.settings.fixed.server, request.request());
    RequestContext::new(state, record, scheme, preflight)
}

/// Records a request that ends with an error before or instead of its handler's answer.
pub(in crate::http) fn record_refusal(record: &Record, error: &ApiError) {
    record.status(error.status_code().as_u16());
    record.error(error.code());
    record.outcome(Outcome::Answered);
}

/// Adds the common headers to an answer and keeps its context until the body has been sent.
fn recorded(mut response: ServiceResponse<BoxBody>, context: RequestContext) -> ServiceResponse<BoxBody> {
    let (record, size) = (context.record(), response.response().body().size());
    // The server never polls a body that it does not send.
    if response.request().method() == Method::HEAD || matches!(size, BodySize::None | BodySize::Sized(0)) {
        record.outcome(Outcome::Answered);
    }
    record.status(response.status().as_u16());
    if let Some(error) = response.response().error().and_then(Error::as_error::<ApiError>) {
        error.log_internal();
        record.error(error.code());
    }
    context.write_headers(response.headers_mut());
    response.map_body(|_, body| BoxBody::new(LoggedBody { body, context }))
}

/// A body that holds the context of its request until it has been sent.
struct LoggedBody {
    body: BoxBody,
    context: RequestContext,
}

impl MessageBody for LoggedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let chunk = ready!(Pin::new(&mut self.body).poll_next(cx));
        // The server never polls a body of known size past its last byte.
        let is_last = match (&chunk, self.body.size()) {
            (None, _) => true,
            (Some(Ok(chunk)), BodySize::Sized(left)) => {
                left == 0 || u64::try_from(chunk.len()).is_ok_and(|n| n >= left)
            }
            _ => false,
        };
        if is_last {
            self.context.record().outcome(Outcome::Answered);
        }
        Poll::Ready(chunk)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, context } = self;
        match body.try_into_bytes() {
            Ok(bytes) => {
                context.record().outcome(Outcome::Answered);
                Ok(bytes)
            }
            Err(body) => Err(Self { body, context }),
        }
    }
}
