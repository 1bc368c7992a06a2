//! HTTP/1 request bodies, and the connection's fate if a handler leaves its body unread.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::{BoxedPayloadStream, ConnectionType, Payload, ResponseHead};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Version;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};
use bytes::Bytes;
use futures_util::Stream;

use super::{Connection, RequestGuard};

/// A body that passes its unread part to its connection when dropped.
struct WatchedBody {
    payload: Payload,
    is_over: bool,
    connection: Rc<Connection>,
}

impl Stream for WatchedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let chunk = ready!(Pin::new(&mut self.payload).poll_next(cx));
        if !matches!(chunk, Some(Ok(_))) {
            self.is_over = true;
        }
        if chunk.is_none() && self.connection.is_body_broken() {
            return Poll::Ready(Some(Err(PayloadError::EncodingCorrupted)));
        }
        Poll::Ready(chunk)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.keep_unread(self.payload.take());
        }
    }
}

/// Wraps the body of `request` in a [`WatchedBody`], if it has one.
pub(in crate::http) fn watch_body(request: &mut ServiceRequest) {
    let Some(connection) = request.request().conn_data::<Rc<Connection>>().cloned() else { return };
    let payload = request.take_payload();
    let payload = match payload {
        Payload::H1 { .. } => {
            let body: BoxedPayloadStream = Box::pin(WatchedBody { payload, is_over: false, connection });
            Payload::from(body)
        }
        other => other,
    };
    request.set_payload(payload);
}

/// Decides, for HTTP/1, how the answer ends for the client, and whether another request may follow.
pub(in crate::http) fn settle(request: &HttpRequest, head: &mut ResponseHead, size: BodySize) {
    let Some(connection) = request.conn_data::<Rc<Connection>>() else { return };
    // HTTP/1.0 has no chunks (RFC 9112 §6.1), so the end of the connection ends the answer.
    let ends_by_closing = size == BodySize::Stream && request.version() < Version::HTTP_11;
    if ends_by_closing {
        head.no_chunking(true);
    }
    // The server would have to read the rest of the body, however long, before the next request.
    if ends_by_closing || connection.is_last() || connection.has_unread() {
        head.set_connection_type(ConnectionType::Close);
        connection.close_after_answer();
    }
}

/// Marks a connection as busy until its answer is sent. Middleware for a listener without request records.
pub async fn hold_connection(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let busy = request.request().conn_data::<Rc<Connection>>().map(Connection::hold);
    watch_body(&mut request);
    let mut response = next.call(request).await?;
    let (request, size) = (response.request().clone(), response.response().body().size());
    settle(&request, response.response_mut().head_mut(), size);
    Ok(response.map_body(|_, body| BoxBody::new(HeldBody { body: body.boxed(), _busy: busy })))
}

/// The body of an answer, with a guard that keeps the request in progress until the body is sent.
struct HeldBody {
    body: BoxBody,
    _busy: Option<RequestGuard>,
}

impl MessageBody for HeldBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
