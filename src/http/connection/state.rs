//! Where the exchange on a connection that speaks HTTP/1 stands.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::dev::Payload;
use futures_util::Stream;

use super::open::OpenConnection;

/// Shared by the [`line`](super::line) of a connection and the request in progress on it.
pub(in crate::http) struct Connection {
    is_secure: bool,
    open: OpenConnection,
    is_busy: Cell<bool>,
    /// No request follows the one in progress.
    is_last: Cell<bool>,
    /// The body does not keep to its framing.
    is_body_broken: Cell<bool>,
    /// What its handler did not read of the body.
    unread: RefCell<Option<Payload>>,
    /// Woken when the request in progress has ended.
    waits: RefCell<Option<Waker>>,
}

impl Connection {
    pub(super) fn new(is_secure: bool, open: OpenConnection) -> Self {
        Self {
            is_secure,
            open,
            is_busy: Cell::new(false),
            is_last: Cell::new(false),
            is_body_broken: Cell::new(false),
            unread: RefCell::default(),
            waits: RefCell::default(),
        }
    }

    /// Whether it goes over TLS.
    pub(in crate::http) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// A head is complete. `false` where the connection is about to be closed, and the request with it.
    pub(super) fn request_begins(&self) -> bool {
        let begins = self.open.request_begins();
        self.is_busy.set(begins);
        self.is_body_broken.set(false);
        begins
    }

    /// Whether a request is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Whether the connection ends with its answer.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.get()
    }

    /// Has the connection end with the answer to the request in progress.
    pub(super) fn close_after_answer(&self) {
        self.is_last.set(true);
    }

    /// The framing of the body cannot be followed: its handler finds an error at its end.
    pub(super) fn break_body(&self) {
        self.is_body_broken.set(true);
        self.close_after_answer();
    }

    pub(super) fn is_body_broken(&self) -> bool {
        self.is_body_broken.get()
    }

    /// Keeps what a handler leaves of a body.
    pub(super) fn keep_unread(&self, payload: Payload) {
        self.unread.replace(Some(payload));
    }

    /// Whether something of the body that nobody reads is still to come. What has come is passed over.
    pub(super) fn has_unread(&self) -> bool {
        let mut unread = self.unread.borrow_mut();
        let Some(payload) = unread.as_mut() else { return false };
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match std::pin::Pin::new(&mut *payload).poll_next(&mut context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Pending | Poll::Ready(Some(Err(_))) => return true,
                Poll::Ready(None) => {
                    *unread = None;
                    return false;
                }
            }
        }
    }

    /// The request in progress, which ends when this is dropped.
    pub(in crate::http) fn hold(self: &Rc<Self>) -> RequestGuard {
        RequestGuard(Rc::clone(self))
    }

    /// The request is refused by its head alone, before any handler has it.
    pub(in crate::http) fn refuse(self: &Rc<Self>) {
        self.close_after_answer();
        drop(self.hold());
    }

    /// Wakes this task when the request in progress has ended.
    pub(super) fn wait(&self, waker: &Waker) {
        self.waits.replace(Some(waker.clone()));
    }

    /// Waits until another connection needs the room of this one.
    pub(super) async fn must_close(&self) {
        self.open.must_close().await;
    }
}

/// A request in progress.
pub(in crate::http) struct RequestGuard(Rc<Connection>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let connection = &self.0;
        if connection.is_busy.replace(false) {
            connection.open.becomes_idle();
        }
        drop(connection.unread.take());
        if let Some(waker) = connection.waits.take() {
            waker.wake();
        }
    }
}
