//! The sieve: follows a multipart form only as far as it must to find the bytes of the recording, and takes them out.
//!
//! actix-multipart parses the form and its fields; it gets the form without the recording. In that parser the recording
//! would cost a copy and a search for each of its carriage returns, of which noise has many (measured: a sixth of all
//! the work of a large upload). Here its bytes are passed on as they came, and a single search finds their end.
//!
//! The parser gets portions: a head, a text, a delimiter. So the reader of the form can decide on a part before its
//! content goes to the parser. The reader calls in turn [`Sieve::head`], then [`Sieve::text`] or [`Sieve::recording`].
//!
//! The parser gets a plain form: the head of each part has only the field's name ([`PartHead`] has the rest), and no
//! delimiter has blanks after it (RFC 2046 §5.1.1, transport padding).

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

use super::flow::{Flow, Place};
use super::head::{HeadError, PartHead};

/// A sieve for the body of one form.
pub(super) struct Sieve<S>(Rc<RefCell<Flow<S>>>);

/// The stream that the parser reads.
pub(super) struct Feed<S>(Rc<RefCell<Flow<S>>>);

impl<S> Sieve<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// Creates a sieve for `body`, whose parts are separated by `boundary`.
    pub(super) fn new(body: S, boundary: &str) -> Self {
        Self(Rc::new(RefCell::new(Flow::new(body, boundary))))
    }

    /// Returns the stream for the parser.
    pub(super) fn feed(&self) -> Feed<S> {
        Feed(Rc::clone(&self.0))
    }

    /// Runs a step of the parser. The parser never waits for bytes that it does not get: if it needs more, the
    /// delimiter did not end its part.
    pub(super) async fn parsed<T>(&self, next: impl Future<Output = T>) -> T {
        let mut next = pin!(next);
        std::future::poll_fn(|cx| {
            loop {
                let parsed = next.as_mut().poll(cx);
                let mut flow = self.0.borrow_mut();
                flow.place = match flow.place {
                    Place::Ended if parsed.is_pending() && flow.asked => Place::Through,
                    _ => return parsed,
                };
            }
        })
        .await
    }

    /// Lets the head of the next part go to the parser.
    pub(super) fn head(&self) {
        let mut flow = self.0.borrow_mut();
        if flow.place != Place::Through {
            flow.place = Place::Line;
        }
    }

    /// Returns the head of the part that the parser has just found.
    pub(super) fn part(&self) -> Result<PartHead, HeadError> {
        self.0.borrow_mut().part.take().unwrap_or(Err(HeadError::Malformed))
    }

    /// Sends the part whose head was just read to the parser.
    pub(super) fn text(&self) {
        let mut flow = self.0.borrow_mut();
        if flow.place != Place::Through {
            flow.place = Place::Text;
        }
    }

    /// Returns the next bytes of the part whose head was just read, which is the recording. After the last bytes the
    /// parser finds only the part's end.
    pub(super) async fn recording(&self) -> Option<Result<Bytes, PayloadError>> {
        std::future::poll_fn(|cx| {
            let mut flow = self.0.borrow_mut();
            if flow.place == Place::Decision {
                flow.place = Place::Recording;
            }
            flow.poll_recording(cx)
        })
        .await
    }

    /// Skips the bytes after the last delimiter (RFC 2046 §5.1.1), to the end of the body: only then is a request
    /// complete.
    pub(super) async fn epilogue(&self) -> Result<(), PayloadError> {
        std::future::poll_fn(|cx| {
            let mut flow = self.0.borrow_mut();
            while !flow.ended {
                flow.left.clear();
                ready!(flow.poll_more(cx))?;
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Returns the size of the recording in a body of `whole` bytes if nothing follows it. The caller asks before it
    /// reads the first bytes.
    pub(super) fn expected(&self, whole: u64) -> Option<u64> {
        let flow = self.0.borrow();
        let closing = flow.delimiter.needle().len() + b"--\r\n".len();
        whole.checked_sub(flow.passed)?.checked_sub(closing.try_into().ok()?)
    }
}

impl<S> Stream for Feed<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_feed(cx)
    }
}
