//! A watchdog for the HTTP/1 connection of one client, between the socket and actix.
//!
//! actix reads heads leniently and refuses with empty answers, handles each chunk of a body separately, limits the time
//! of the first head only, and stops reading from a client that sends much ahead of its answer, so that it would not
//! notice when the client leaves. [`Http1Watchdog`] gives it complete heads that [`parse`](super::head::parse) has
//! accepted, one request at a time, and bodies in large pieces; it answers invalid requests and closes stalled
//! connections. actix then drops the answer, and with it the provider's request.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Http1Connection;
use super::request_reader::{Refuse, RequestReader};
use crate::domain::Scheme;
use crate::transport::limits::TimeLimits;

/// The connection, as actix sees it.
pub(in crate::transport) struct Http1Watchdog<S>(RequestReader<S>);

impl<S> Http1Watchdog<S> {
    /// Watches a new connection. `refuse` answers invalid requests.
    pub(in crate::transport) fn new(
        stream: S,
        scheme: Scheme,
        connection: Rc<Http1Connection>,
        limits: TimeLimits,
        refuse: Refuse,
    ) -> Self {
        Self(RequestReader::new(stream, scheme, connection, limits, refuse))
    }

    /// Returns the state of the connection.
    pub(super) fn connection(&self) -> Rc<Http1Connection> {
        Rc::clone(&self.0.connection)
    }

    /// Returns the scheme of the connection.
    pub(super) fn scheme(&self) -> Scheme {
        self.0.scheme
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Http1Watchdog<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Http1Watchdog<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.0.answer_stream()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.answer_stream()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(self.0.stream()).poll_flush(cx))?;
        self.0.answer_flushed(cx);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.stream()).poll_shutdown(cx)
    }
}
