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
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use memchr::memchr;
use memchr::memmem::Finder;

use super::head::{HeadError, MAX_HEAD_BYTES, PartHead, plain_head};

const HEAD_END: &[u8] = b"\r\n\r\n";
const LINE_END: &[u8] = b"\r\n";

/// The maximum length in bytes of a delimiter's line: a boundary and some blanks.
const MAX_DELIMITER_LINE: usize = 1024;

/// A sieve for the body of one form.
pub(super) struct Sieve<S>(Rc<RefCell<Flow<S>>>);

/// The stream that the parser reads.
pub(super) struct Feed<S>(Rc<RefCell<Flow<S>>>);

struct Flow<S> {
    body: S,
    ended: bool,
    /// The bytes that have arrived and were not passed on.
    left: Bytes,
    /// The number of bytes passed on.
    passed: u64,
    place: Place,
    /// True if the parser has taken all of its portion and asked for more. It takes a long portion in several steps,
    /// and reports nothing about bytes that it has not looked at yet.
    asked: bool,
    /// The head of the part that the parser has just found.
    part: Option<Result<PartHead, HeadError>>,
    /// True if the next byte of the preamble is within a line.
    within_line: bool,
    head_end: Finder<'static>,
    delimiter: Finder<'static>,
    /// The delimiter without the preceding line break, which the first delimiter may lack.
    opening: Finder<'static>,
}

/// The element that contains the next bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The bytes before the first delimiter, and that delimiter.
    Preamble,
    /// The rest of a delimiter's line.
    Line,
    /// The head of a part.
    Head,
    /// A head has gone to the parser, and the reader has not decided about its part yet.
    Decision,
    /// A part that goes to the parser.
    Text,
    /// The recording.
    Recording,
    /// The delimiter that ends a part.
    End,
    /// The delimiter has gone to the parser.
    Ended,
    /// The bytes after the last delimiter or after an error: the parser gets them unchanged.
    Through,
}

impl<S> Sieve<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// Creates a sieve for `body`, whose parts are separated by `boundary`.
    pub(super) fn new(body: S, boundary: &str) -> Self {
        Self(Rc::new(RefCell::new(Flow {
            body,
            ended: false,
            left: Bytes::new(),
            passed: 0,
            place: Place::Preamble,
            asked: false,
            part: None,
            within_line: false,
            head_end: Finder::new(HEAD_END),
            delimiter: Finder::new(&delimiter(boundary)).into_owned(),
            opening: Finder::new(&[b"--", boundary.as_bytes()].concat()).into_owned(),
        })))
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
                // The parser reports the missing bytes.
                self.place = Place::Head;
            } else {
                ready!(self.poll_more(cx))?;
            }
        }
    }

    fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        loop {
            let portion = match self.place {
                // The reader has to decide about the part first.
                Place::Decision | Place::Ended => {
                    self.asked = true;
                    return Poll::Pending;
                }
                Place::Preamble => self.preamble(),
                Place::Line => self.line(),
                Place::Head => match self.head() {
                    Err(error) => return Poll::Ready(Some(Err(error))),
                    Ok(portion) => portion,
                },
                Place::Text | Place::Recording => {
                    let (count, found) = before(&self.left, &self.delimiter, self.ended);
                    if found && count == 0 {
                        self.place = Place::End;
                        continue;
                    }
                    self.pass(count)
                }
                Place::End => {
                    (self.place, self.asked) = (Place::Ended, false);
                    self.pass(self.delimiter.needle().len())
                }
                Place::Through => self.pass(self.left.len()),
            };
            if !portion.is_empty() {
                return Poll::Ready(Some(Ok(portion)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            ready!(self.poll_more(cx))?;
        }
    }

    /// Returns the next bytes of the preamble, or the first delimiter.
    fn preamble(&mut self) -> Bytes {
        let opening = self.opening.needle().len();
        let at_line_start = |at: usize| match at.checked_sub(1) {
            None => !self.within_line,
            Some(before) => self.left.get(before) == Some(&b'\n'),
        };
        let Some(at) = self.opening.find_iter(&self.left).find(|&at| at_line_start(at)) else {
            // The bytes that are passed on now are within a line.
            return self.pass_preamble(self.left.len() - begun(&self.left, &self.opening, self.ended));
        };
        if at > 0 {
            return self.pass_preamble(at);
        }
        let (whole, rest) = self.delimiter_line(opening);
        match rest {
            None if whole == 0 => Bytes::new(),
            Some(Delimiter::Next) => self.replace(whole, Place::Head, |opening| [opening, LINE_END].concat()),
            Some(Delimiter::Last) => self.replace(whole, Place::Through, |opening| [opening, b"--", LINE_END].concat()),
            None => self.pass_preamble(whole),
        }
    }

    fn pass_preamble(&mut self, count: usize) -> Bytes {
        let portion = self.pass(count);
        if let Some(last) = portion.last() {
            self.within_line = *last != b'\n';
        }
        portion
    }

    /// Returns the rest of the line of a delimiter that the parser has.
    fn line(&mut self) -> Bytes {
        let (whole, rest) = self.delimiter_line(0);
        match rest {
            None if whole == 0 => Bytes::new(),
            Some(Delimiter::Next) => self.replace(whole, Place::Head, |_| LINE_END.to_vec()),
            Some(Delimiter::Last) => self.replace(whole, Place::Through, |_| [b"--", LINE_END].concat()),
            // The parser reports that this is not a delimiter.
            None => {
                self.place = Place::Through;
                self.pass(whole)
            }
        }
    }

    /// Returns the length of the line that begins here, 0 if it is not complete yet, and the delimiter after its first
    /// `from` bytes, if there is one.
    fn delimiter_line(&self, from: usize) -> (usize, Option<Delimiter>) {
        let Some(end) = memchr(b'\n', &self.left) else {
            let enough = self.ended || self.left.len() > MAX_DELIMITER_LINE;
            return (if enough { self.left.len() } else { 0 }, None);
        };
        let line = self.left.get(from..=end).and_then(|line| line.strip_suffix(LINE_END));
        let is_padding = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        let delimiter = line.and_then(|line| match line.strip_prefix(b"--") {
            Some(rest) if is_padding(rest) => Some(Delimiter::Last),
            _ if is_padding(line) => Some(Delimiter::Next),
            _ => None,
        });
        (end + 1, delimiter)
    }

    /// Reads the head of a part into `part`. Returns the head that the parser gets.
    fn head(&mut self) -> Result<Bytes, PayloadError> {
        let (count, end) = if self.left.starts_with(LINE_END) {
            (0, LINE_END.len())
        } else {
            match before(&self.left, &self.head_end, self.ended) {
                (count, true) if count <= MAX_HEAD_BYTES => (count, HEAD_END.len()),
                _ if self.left.len() > MAX_HEAD_BYTES => return Err(PayloadError::Overflow),
                // The parser reports the missing bytes.
                _ if self.ended => return Ok(self.pass(self.left.len())),
                _ => return Ok(Bytes::new()),
            }
        };
        let read = PartHead::read(self.left.get(..count).unwrap_or_default());
        let plain = read.as_ref().map_or_else(|_| plain_head("_"), PartHead::plain);
        self.part = Some(read);
        self.asked = false;
        Ok(self.replace(count + end, Place::Decision, |_| plain.into_bytes()))
    }

    /// Consumes `count` bytes of the body and continues at `place`. Returns the bytes that the parser gets instead,
    /// made from the opening.
    fn replace(&mut self, count: usize, place: Place, instead: impl FnOnce(&[u8]) -> Vec<u8>) -> Bytes {
        let instead = instead(self.opening.needle());
        self.place = place;
        self.pass(count);
        instead.into()
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PayloadError>> {
        match ready!(self.body.poll_next_unpin(cx)) {
            None => self.ended = true,
            Some(chunk) if self.left.is_empty() => self.left = chunk?,
            Some(chunk) => {
                // Only a few bytes are left, which may begin a delimiter or the end of a head.
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

/// The kind of a delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    /// Another part follows.
    Next,
    /// The form ends here.
    Last,
}

/// Returns the bytes that end a part (RFC 2046 §5.1.1).
fn delimiter(boundary: &str) -> Vec<u8> {
    [b"\r\n--", boundary.as_bytes()].concat()
}

/// Returns the number of bytes before the needle, and true if the needle is there. If more bytes may come, trailing
/// bytes that could begin the needle do not count.
fn before(bytes: &[u8], needle: &Finder<'_>, ended: bool) -> (usize, bool) {
    if let Some(at) = needle.find(bytes) {
        return (at, true);
    }
    (bytes.len() - begun(bytes, needle, ended), false)
}

/// Returns the number of trailing bytes that could begin the needle; 0 if nothing follows.
fn begun(bytes: &[u8], needle: &Finder<'_>, ended: bool) -> usize {
    let needle = needle.needle();
    let longest = if ended { 0 } else { bytes.len().min(needle.len() - 1) };
    let is_begun = |count: &usize| needle.get(..*count).is_some_and(|begun| bytes.ends_with(begun));
    (1..=longest).rev().find(is_begun).unwrap_or_default()
}
