//! A scanner that finds server-sent events in a stream as it arrives, and keeps each as the provider framed it.
//!
//! The rules are those of the HTML standard, §9.2.5 and §9.2.6: lines end in LF, CRLF or CR, and a blank line ends an
//! event. An event is complete as soon as its blank line is, even if that is a CR and its LF may still come. Such an LF
//! then becomes an empty event, so all raw events joined are the stream, byte for byte.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::domain::text::BYTE_ORDER_MARK;

#[cfg(test)]
mod tests;

/// The error for a provider's event that is larger than the gateway holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider sent a single event of more than {limit} bytes")]
pub struct EventTooLarge {
    /// The maximum size of one event, in bytes.
    pub limit: usize,
}

/// An event as it came, including its blank line.
#[derive(Clone)]
pub struct Event {
    raw: Bytes,
    /// The event's bytes without the byte order mark that may open a stream.
    text: Bytes,
}

impl Event {
    /// Returns the bytes to forward.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Returns the event's data, its lines joined by LF; `None` if it has no data line, so that clients ignore it.
    pub fn data(&self) -> Option<Bytes> {
        let mut lines = self.lines().filter_map(data_of);
        let first = lines.next()?;
        let Some(second) = lines.next() else { return Some(self.text.slice_ref(first)) };
        let mut joined = BytesMut::with_capacity(self.text.len());
        joined.extend_from_slice(first);
        for line in std::iter::once(second).chain(lines) {
            joined.extend_from_slice(b"\n");
            joined.extend_from_slice(line);
        }
        Some(joined.freeze())
    }

    /// Returns the event's id, by which a client goes on behind it; `None` if it has none.
    pub fn id(&self) -> Option<&str> {
        let id = self.lines().filter_map(|line| value_of(line, b"id")).next_back()?;
        std::str::from_utf8(id).ok().filter(|id| !id.is_empty())
    }

    /// Returns true if the event has only comments and blank lines: a keep-alive.
    pub fn is_comment_only(&self) -> bool {
        self.lines().all(|line| line.starts_with(b":"))
    }

    /// Returns true for `[DONE]`, by which providers mark the end of a stream.
    pub fn is_done_marker(&self) -> bool {
        self.data().is_some_and(|data| data.trim_ascii() == b"[DONE]")
    }

    /// Returns the lines that are not blank. Splitting CRLF in two adds only a blank line, which is left out.
    fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.text.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty())
    }
}

/// Shows only the size: the data is a transcript of a person's speech.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("bytes", &self.raw.len()).finish_non_exhaustive()
    }
}

fn data_of(line: &[u8]) -> Option<&[u8]> {
    value_of(line, b"data")
}

/// Returns the value of a line of this field, without the one space that may follow its colon.
fn value_of<'l>(line: &'l [u8], field: &[u8]) -> Option<&'l [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(b""),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

/// A scanner for the events in a stream. It reads every byte once and copies it at most once, whatever the size of the
/// pieces.
pub struct Scanner {
    limit: usize,
    /// The beginning of an event whose blank line has not come.
    pending: BytesMut,
    /// True if the current line has at least one byte.
    line_begun: bool,
    /// True if the last byte was a CR, to which a following LF belongs.
    after_cr: bool,
    /// True if an event has come, so that no byte order mark may follow.
    begun: bool,
}

impl Scanner {
    /// Creates a scanner for the beginning of a stream, for events of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, pending: BytesMut::new(), line_begun: false, after_cr: false, begun: false }
    }

    /// Takes the next piece of the stream and appends every event that it completes, even before an error.
    pub fn push(&mut self, mut piece: Bytes, events: &mut Vec<Event>) -> Result<(), EventTooLarge> {
        while let Some(end) = self.find_end(&piece) {
            self.check_size(end)?;
            let tail = piece.split_to(end);
            let raw = if self.pending.is_empty() {
                tail
            } else {
                self.pending.extend_from_slice(&tail);
                self.pending.split().freeze()
            };
            events.push(self.event(raw));
        }
        self.check_size(piece.len())?;
        self.pending.extend_from_slice(&piece);
        Ok(())
    }

    /// Returns the bytes left when the stream ends without a blank line. The standard has clients discard such an
    /// event, so the caller must complete it or drop it.
    pub fn finish(mut self) -> Option<Event> {
        let raw = self.pending.split().freeze();
        (!raw.is_empty()).then(|| self.event(raw))
    }

    fn event(&mut self, raw: Bytes) -> Event {
        let marked = !self.begun && raw.starts_with(BYTE_ORDER_MARK);
        self.begun = true;
        let text = if marked { raw.slice(BYTE_ORDER_MARK.len()..) } else { raw.clone() };
        Event { raw, text }
    }

    fn check_size(&self, more: usize) -> Result<(), EventTooLarge> {
        if self.pending.len() + more > self.limit { Err(EventTooLarge { limit: self.limit }) } else { Ok(()) }
    }

    /// Returns the length of the part of `piece` up to the end of the current event, if that end is in `piece`.
    fn find_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut rest = piece;
        loop {
            if self.after_cr
                && let [b'\n', after @ ..] = rest
            {
                self.after_cr = false;
                let ends_previous_event = self.pending.is_empty() && rest.len() == piece.len();
                rest = after;
                if ends_previous_event {
                    return Some(1);
                }
            }
            let Some(at) = memchr2(b'\r', b'\n', rest) else {
                if !rest.is_empty() {
                    self.line_begun = true;
                    self.after_cr = false;
                }
                return None;
            };
            let blank = at == 0 && !self.line_begun;
            let (line, after) = rest.split_at(at + 1);
            rest = after;
            self.line_begun = false;
            self.after_cr = line.ends_with(b"\r");
            if blank {
                if self.after_cr
                    && let [b'\n', after @ ..] = rest
                {
                    self.after_cr = false;
                    rest = after;
                }
                return Some(piece.len() - rest.len());
            }
        }
    }
}

/// Frames JSON as one event on one line, for clients that read line by line. In JSON a line break can only stand
/// between tokens, where a space means the same.
pub fn framed(data: &str) -> Bytes {
    format!("data: {}\n\n", data.replace(['\r', '\n'], " ")).into()
}
