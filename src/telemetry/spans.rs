//! The span of a request, which contains all of its log lines.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};
use uuid::Uuid;

/// A builder of spans with the request's id. It leaves out the path's query, which may hold a prompt.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string);
        tracing::info_span!("request", request_id = id.as_deref(), method = %request.method(), path = request.path())
    }

    fn on_request_end<B: MessageBody>(_span: Span, _outcome: &Result<ServiceResponse<B>, Error>) {
        // The request record has all of this, and is written at the end of the body rather than of the head.
    }
}

/// Returns an id for a request that is refused before it has a span.
pub fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}
