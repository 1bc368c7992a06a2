//! The sieve: it follows a multipart form just far enough to know which bytes are the recording, and takes them out.
//!
//! Form and fields are actix-multipart's business: it is fed the form without the recording. The recording itself would
//! cost there a copy and a search for every carriage return in it, which noise is full of (measured: a sixth of all the
//! work of a large upload); here its bytes are passed on as they came, and one search finds where they end.
//!
//! The parser is fed in portions, a head, a text, a delimiter, so that whoever reads the form can say what a part is before
//! any of it has gone to the parser. They say so in turn: [`Sieve::head`], then [`Sieve::text`] or [`Sieve::recording`].

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use memchr::memmem::Finder;

const HEAD_END: &[u8] = b"\r\n\r\n";

/// A form that passes.
pub(super) struct Sieve<S>(Rc<RefCell<Flow<S>>>);

/// What the parser is fed.
pub(super) struct Feed<S>(Rc<RefCell<Flow<S>>>);

struct Flow<S> {
    body: S,
    ended: bool,
    /// What has arrived and was not passed on.
    left: Bytes,
    /// How many bytes were passed on.
    passed: u64,
    place: Place,
    /// Whether the parser has taken all of its portion and asked for more. It takes a long one in several steps, and is
    /// silent about what it has not looked at yet.
    asked: bool,
    head_end: Finder<'static>,
    delimiter: Finder<'static>,
}

/// What the next bytes are part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The head of a part, or what is before the first delimiter or after the last.
    Head,
    /// A head has gone to the parser, and nobody has said yet what its part is.
    Decision,
    /// A part that the parser reads.
    Text,
    /// The recording.
    Recording,
    /// The delimiter that ends a part.
    End,
    /// The delimiter has gone to the parser.
    Ended,
    /// Everything is for the parser, to the end of the form.
    Through,
}

impl<S> Sieve<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// A sieve for `body` whose parts are parted by `boundary`.
    pub(super) fn new(body: S, boundary: &str) -> Self {
        Self(Rc::new(RefCell::new(Flow {
            body,
            ended: false,
            left: Bytes::new(),
            passed: 0,
            place: Place::Head,
            asked: false,
            head_end: Finder::new(HEAD_END),
            delimiter: Finder::new(&delimiter(boundary)).into_owned(),
        })))
    }

    /// What the parser is to be fed.
    pub(super) fn feed(&self) -> Feed<S> {
        Feed(Rc::clone(&self.0))
    }

    /// What the parser makes of what it is fed. It is never left waiting for what it is not given: where it has need of
    /// more, a blank line was not the end of a head, or a delimiter not that of its part.
    pub(super) async fn parsed<T>(&self, next: impl Future<Output = T>) -> T {
        let mut next = pin!(next);
        std::future::poll_fn(|cx| {
            loop {
                let parsed = next.as_mut().poll(cx);
                let mut flow = self.0.borrow_mut();
                flow.place = match flow.place {
                    Place::Decision if parsed.is_pending() && flow.asked => Place::Head,
                    Place::Ended if parsed.is_pending() && flow.asked => Place::Through,
                    _ => return parsed,
                };
            }
        })
        .await
    }

    /// The head of the next part may go to the parser.
    pub(super) fn head(&self) {
        let mut flow = self.0.borrow_mut();
        if flow.place != Place::Through {
            flow.place = Place::Head;
        }
    }

    /// From here on the parser has everything, the recording too.
    pub(super) fn through(&self) {
        self.0.borrow_mut().place = Place::Through;
    }

    /// Whether it has.
    pub(super) fn is_through(&self) -> bool {
        self.0.borrow().place == Place::Through
    }

    /// The part whose head has just been read is one for the parser.
    pub(super) fn text(&self) {
        let mut flow = self.0.borrow_mut();
        if flow.place != Place::Through {
            flow.place = Place::Text;
        }
    }

    /// The next bytes of the part whose head has just been read, which is the recording. After its last one the parser
    /// finds nothing of it but its end.
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

    /// How many bytes the recording has in a body of `whole` bytes if nothing follows it; to be asked before its first is
    /// read.
    pub(super) fn expected(&self, whole: u64) -> Option<u64> {
        let flow = self.0.borrow();
        let closing = flow.delimiter.needle().len() + b"--\r\n".len();
        whole.checked_sub(flow.passed)?.checked_sub(closing.try_into().ok()?)
    }
}

impl<S> Flow<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    fn poll_recording(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        loop {
            if self.place != Place::Recording {
                return Poll::Ready(None);
            }
            let (count, found) = before(&self.left, &self.delimiter, self.ended);
            if found && count == 0 {
                self.place = Place::End;
            } else if count > 0 {
                return Poll::Ready(Some(Ok(self.pass(count))));
            } else if self.ended {
                // The parser says what is missing.
                self.place = Place::Head;
            } else {
                ready!(self.poll_more(cx))?;
            }
        }
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        loop {
            let count = match self.place {
                // Until somebody says how to go on.
                Place::Decision | Place::Ended => {
                    self.asked = true;
                    return Poll::Pending;
                }
                Place::Head => {
                    let (count, found) = before(&self.left, &self.head_end, self.ended);
                    if found {
                        (self.place, self.asked) = (Place::Decision, false);
                        count + HEAD_END.len()
                    } else {
                        count
                    }
                }
                Place::Text | Place::Recording => {
                    let (count, found) = before(&self.left, &self.delimiter, self.ended);
                    if found && count == 0 {
                        self.place = Place::End;
                        continue;
                    }
                    count
                }
                Place::End => {
                    (self.place, self.asked) = (Place::Ended, false);
                    self.delimiter.needle().len()
                }
                Place::Through => self.left.len(),
            };
            if count > 0 {
                return Poll::Ready(Some(Ok(self.pass(count))));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            ready!(self.poll_more(cx))?;
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PayloadError>> {
        match ready!(self.body.poll_next_unpin(cx)) {
            None => self.ended = true,
            Some(chunk) if self.left.is_empty() => self.left = chunk?,
            Some(chunk) => {
                // A beginning of what is looked for was left, a few bytes.
                let chunk = chunk?;
                let mut joined = BytesMut::with_capacity(self.left.len() + chunk.len());
                joined.extend_from_slice(&self.left);
                joined.extend_from_slice(&chunk);
                self.left = joined.freeze();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn pass(&mut self, count: usize) -> Bytes {
        self.passed = self.passed.saturating_add(count.try_into().unwrap_or(u64::MAX));
        self.left.split_to(count.min(self.left.len()))
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

/// What ends a part (RFC 2046 §5.1.1).
fn delimiter(boundary: &str) -> Vec<u8> {
    [b"\r\n--", boundary.as_bytes()].concat()
}

/// How many of `bytes` stand before the needle, and whether it is there. Where it may yet come, what could be the beginning
/// of it does not count.
fn before(bytes: &[u8], needle: &Finder<'_>, ended: bool) -> (usize, bool) {
    if let Some(at) = needle.find(bytes) {
        return (at, true);
    }
    let needle = needle.needle();
    let longest = if ended { 0 } else { bytes.len().min(needle.len() - 1) };
    let begun = (1..=longest).rev().find(|&count| needle.get(..count).is_some_and(|begun| bytes.ends_with(begun)));
    (bytes.len() - begun.unwrap_or_default(), false)
}
