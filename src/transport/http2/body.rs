//! HTTP/2 request bodies: read on demand, and drained for a while after the handler drops them.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use h2::RecvStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::transport::limits::LINGERING_CLOSE;

/// The body of a request, for its handler. The unread part becomes the [`UnreadBody`].
pub(super) struct RequestBody {
    body: Option<RecvStream>,
    is_wanted: Rc<Cell<bool>>,
    unread: Option<oneshot::Sender<RecvStream>>,
}

/// The unread part of a dropped [`RequestBody`].
pub(super) struct UnreadBody(oneshot::Receiver<RecvStream>);

impl RequestBody {
    /// Returns the body, a flag that is true once the handler reads it, and the receiver of its unread part.
    pub(super) fn new(body: RecvStream) -> (Self, Rc<Cell<bool>>, UnreadBody) {
        let (unread, receiver) = oneshot::channel();
        let is_wanted = Rc::new(Cell::new(false));
        let this = Self { body: Some(body), is_wanted: Rc::clone(&is_wanted), unread: Some(unread) };
        (this, is_wanted, UnreadBody(receiver))
    }
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    /// Reads the next piece; the client may then send more.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.is_wanted.set(true);
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let chunk = ready!(next(body, cx));
        Poll::Ready(chunk.map(|chunk| chunk.map_err(|_| PayloadError::Incomplete(None))))
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Some(body), Some(unread)) = (self.body.take(), self.unread.take())
            && !body.is_end_stream()
        {
            // Without a receiver, `send` returns the body, and dropping it resets the stream.
            let _ = unread.send(body);
        }
    }
}

impl UnreadBody {
    /// Reads and discards the unread part for a while. Dropping a stream resets it (RFC 9113 §8.1), and many clients
    /// that are still sending take a reset as the end of the exchange: they ignore an answer that came before it.
    pub(super) async fn linger(self) {
        let Ok(mut body) = self.0.await else { return };
        let all = async { while let Some(Ok(_)) = poll_fn(|cx| next(&mut body, cx)).await {} };
        // After the timeout the stream is dropped, even if the client is still sending.
        let _ = timeout(LINGERING_CLOSE, all).await;
    }
}

/// Returns the next piece, and lets the client send another in its place.
fn next(body: &mut RecvStream, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
    let chunk = ready!(body.poll_data(cx));
    Poll::Ready(chunk.map(|chunk| {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        Ok(chunk)
    }))
}
