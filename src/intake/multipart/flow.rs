//! The bytes of a form: where they are in its grammar (RFC 2046 §5.1.1), and who gets them.

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

/// The body of a form on its way to its reader and to the parser.
pub(super) struct Flow<S> {
    pub(super) body: S,
    pub(super) ended: bool,
    /// The bytes that have arrived and were not passed on.
    pub(super) left: Bytes,
    /// The number of bytes passed on.
    pub(super) passed: u64,
    pub(super) place: Place,
    /// True if the parser has taken all of its portion and asked for more. It takes a long portion in several steps,
    /// and reports nothing about bytes that it has not looked at yet.
    pub(super) asked: bool,
    /// The head of the part that the parser has just found.
    pub(super) part: Option<Result<PartHead, HeadError>>,
    /// True if the next byte of the preamble is within a line.
    pub(super) within_line: bool,
    pub(super) head_end: Finder<'static>,
    pub(super) delimiter: Finder<'static>,
    /// The delimiter without the preceding line break, which the first delimiter may lack.
    pub(super) opening: Finder<'static>,
}

/// The element that contains the next bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
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

impl<S> Flow<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    /// Creates a flow of `body`, whose parts are separated by `boundary`.
    pub(super) fn new(body: S, boundary: &str) -> Self {
        Self {
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
        }
    }

    /// Returns the next bytes of the recording.
    pub(super) fn poll_recording(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
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

    /// Returns the next portion for the parser.
    pub(super) fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
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

    /// Takes the next bytes of the body.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PayloadError>> {
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
    let (Some(&first), Some(tail)) = (needle.first(), bytes.get(bytes.len() - longest..)) else { return 0 };
    let mut ends = memchr::memchr_iter(first, tail).filter_map(|at| tail.get(at..));
    ends.find(|end| needle.starts_with(end)).map_or(0, <[u8]>::len)
}
