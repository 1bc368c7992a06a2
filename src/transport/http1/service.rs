//! The requests of HTTP/1 connections, each in progress until its answer is sent.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::{ConnectionType, Request, Response, ResponseHead};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Version;
use bytes::Bytes;

use super::body::watch_body;
use super::connection::{Http1Connection, RequestGuard};

/// Calls the application with a request. Its connection counts as busy until the answer is sent.
pub(in crate::transport) async fn track<S, B>(
    application: Rc<S>,
    mut request: Request,
) -> Result<ServiceResponse<GuardedBody>, Response<BoxBody>>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let connection = request.conn_data::<Rc<Http1Connection>>().cloned();
    let guard = connection.as_ref().map(Http1Connection::hold);
    if let Some(connection) = &connection {
        watch_body(&mut request, connection);
    }
    let version = request.version();
    let mut response = application.call(request).await?;
    let size = response.response().body().size();
    if let Some(connection) = &connection {
        end_connection(connection, version, response.response_mut().head_mut(), size);
    }
    Ok(response.map_body(|_, body| GuardedBody { body: body.boxed(), _guard: guard }))
}

/// Decides how the answer ends for the client, and whether another request may follow.
fn end_connection(connection: &Http1Connection, version: Version, head: &mut ResponseHead, size: BodySize) {
    // HTTP/1.0 has no chunks (RFC 9112 §6.1), so the end of the connection ends the answer.
    let ends_by_closing = size == BodySize::Stream && version < Version::HTTP_11;
    if ends_by_closing {
        head.no_chunking(true);
    }
    // The server would have to read the rest of the body, however long, before the next request.
    if ends_by_closing || connection.is_last() || connection.discard_unread().is_pending() {
        head.set_connection_type(ConnectionType::Close);
        connection.close_after_answer();
    }
}

/// The body of an answer, with a guard that keeps the request in progress until the body is sent.
pub(in crate::transport) struct GuardedBody {
    body: BoxBody,
    _guard: Option<RequestGuard>,
}

impl MessageBody for GuardedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// Lets the application decide about a request with `Expect: 100-continue`. A refused request is over: no handler gets
/// it, and no other request may follow the body that the client may still send.
pub(in crate::transport) async fn before_continue(
    decide: impl AsyncFnOnce(Request) -> Result<Request, Response<BoxBody>>,
    request: Request,
) -> Result<Request, Response<BoxBody>> {
    let connection = request.conn_data::<Rc<Http1Connection>>().cloned();
    let decision = decide(request).await;
    if let (Err(_), Some(connection)) = (&decision, connection) {
        connection.close_after_answer();
        drop(connection.hold());
    }
    decision
}
