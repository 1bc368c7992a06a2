//! What a client sends of a request over HTTP/2: read as it is wanted, and for a while when it is wanted no more.

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

use super::LINGERING_CLOSE;

/// A body, for whoever handles its request. What is left of it becomes its [`UnreadBody`].
pub(super) struct Upload {
    body: Option<RecvStream>,
    is_wanted: Rc<Cell<bool>>,
    left: Option<oneshot::Sender<RecvStream>>,
}

/// What was not read of an [`Upload`] when it was dropped.
pub(super) struct UnreadBody(oneshot::Receiver<RecvStream>);

impl Upload {
    /// A body, and what says whether it is wanted.
    pub(super) fn new(body: RecvStream) -> (Self, Rc<Cell<bool>>, UnreadBody) {
        let (left, rest) = oneshot::channel();
        let is_wanted = Rc::new(Cell::new(false));
        let upload = Self { body: Some(body), is_wanted: Rc::clone(&is_wanted), left: Some(left) };
        (upload, is_wanted, UnreadBody(rest))
    }
}

impl Stream for Upload {
    type Item = Result<Bytes, PayloadError>;

    /// The client may send more of it as it is read.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.is_wanted.set(true);
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let chunk = ready!(next(body, cx));
        Poll::Ready(chunk.map(|chunk| chunk.map_err(|_| PayloadError::Incomplete(None))))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(body), Some(left)) = (self.body.take(), self.left.take())
            && !body.is_end_stream()
        {
            // It comes back where nobody waits for it, and is let go.
            let _ = left.send(body);
        }
    }
}

impl UnreadBody {
    /// Reads what nobody wants for a while. A stream that is let go is reset (RFC 9113 §8.1), and to many clients that is
    /// the end of the exchange, in the middle of sending: they do not look whether there was an answer before it.
    pub(super) async fn linger(self) {
        let Ok(mut body) = self.0.await else { return };
        let all = async { while let Some(Ok(_)) = poll_fn(|cx| next(&mut body, cx)).await {} };
        // It is let go after that, whatever the client thinks of it.
        let _ = timeout(LINGERING_CLOSE, all).await;
    }
}

/// The next piece, for which the client may send another.
fn next(body: &mut RecvStream, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
    let chunk = ready!(body.poll_data(cx));
    Poll::Ready(chunk.map(|chunk| {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        Ok(chunk)
    }))
}
