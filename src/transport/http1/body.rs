//! HTTP/1 request bodies, whose unread part decides whether another request may follow.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::{BoxedPayloadStream, Payload, Request};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

use super::connection::Http1Connection;

/// A body that passes its unread part to its connection when dropped.
struct WatchedBody {
    payload: Payload,
    is_over: bool,
    connection: Rc<Http1Connection>,
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
pub(super) fn watch_body(request: &mut Request, connection: &Rc<Http1Connection>) {
    let payload = match request.take_payload() {
        payload @ Payload::H1 { .. } => {
            let body: BoxedPayloadStream =
                Box::pin(WatchedBody { payload, is_over: false, connection: Rc::clone(connection) });
            Payload::from(body)
        }
        other => other,
    };
    *request.payload() = payload;
}
