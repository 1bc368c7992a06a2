//! The state of an HTTP/1 connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::dev::Payload;
use futures_util::Stream;

use crate::transport::open_connections::OpenConnection;

/// The state that the watchdog of a connection shares with the request in progress on it.
pub(in crate::transport) struct Http1Connection {
    open: OpenConnection,
    is_busy: Cell<bool>,
    /// True if no request may follow the current one.
    is_last: Cell<bool>,
    /// True if the body breaks its framing.
    is_body_broken: Cell<bool>,
    /// The part of the body that the handler did not read.
    unread: RefCell<Option<Payload>>,
}

impl Http1Connection {
    pub(in crate::transport) fn new(open: OpenConnection) -> Self {
        Self {
            open,
            is_busy: Cell::new(false),
            is_last: Cell::new(false),
            is_body_broken: Cell::new(false),
            unread: RefCell::default(),
        }
    }

    /// Marks the start of a request, after a complete head. Returns `false` if the connection is about to close, and
    /// drops the request with it.
    pub(super) fn request_begins(&self) -> bool {
        let begins = self.open.request_begins();
        self.is_busy.set(begins);
        self.is_body_broken.set(false);
        begins
    }

    /// Returns true while a request is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Returns true if the connection closes after the current answer.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.get()
    }

    /// Closes the connection after the answer to the request in progress.
    pub(super) fn close_after_answer(&self) {
        self.is_last.set(true);
    }

    /// Marks the framing of the body as invalid: the handler gets an error at the end of the body.
    pub(super) fn break_body(&self) {
        self.is_body_broken.set(true);
        self.close_after_answer();
    }

    pub(super) fn is_body_broken(&self) -> bool {
        self.is_body_broken.get()
    }

    /// Keeps the unread part of a body.
    pub(super) fn keep_unread(&self, payload: Payload) {
        self.unread.replace(Some(payload));
    }

    /// Discards the unread part of the body as far as it has arrived. Pending if more is to come.
    pub(super) fn discard_unread(&self) -> Poll<()> {
        let mut unread = self.unread.borrow_mut();
        let Some(payload) = unread.as_mut() else { return Poll::Ready(()) };
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match std::pin::Pin::new(&mut *payload).poll_next(&mut context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Pending | Poll::Ready(Some(Err(_))) => return Poll::Pending,
                Poll::Ready(None) => {
                    *unread = None;
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Returns a guard for the request in progress, which ends when the guard is dropped.
    pub(super) fn hold(self: &Rc<Self>) -> RequestGuard {
        RequestGuard(Rc::clone(self))
    }

    /// Waits until this connection must close to make room for another.
    pub(in crate::transport) async fn must_close(&self) {
        self.open.must_close().await;
    }
}

/// A request in progress. The watchdog sees its end at the next flush, since actix flushes each answer.
pub(super) struct RequestGuard(Rc<Http1Connection>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let connection = &self.0;
        if connection.is_busy.replace(false) {
            connection.open.becomes_idle();
        }
        drop(connection.unread.take());
    }
}
