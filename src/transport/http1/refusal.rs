//! The answer to an invalid request, and the end of its connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// The rest of the answer to an invalid request.
pub(super) struct Refusal(Bytes);

impl Refusal {
    pub(super) fn new(answer: Vec<u8>) -> Self {
        Self(answer.into())
    }

    /// Writes the answer, and closes the gateway's side.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while !self.0.is_empty() {
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, &self.0))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.0.advance(count);
        }
        Pin::new(stream).poll_shutdown(cx)
    }
}
