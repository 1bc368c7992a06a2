//! A scanner that finds server-sent events in a stream as it arrives, and keeps each as the provider framed it.
//!
//! The rules are those of the HTML standard, §9.2.5 and §9.2.6: lines end in LF, CRLF or CR, and a blank line ends an
//! event. An event is complete as soon as its blank line is, even if that is a CR and its LF may still come. Such an LF
//! then becomes an empty event, so all raw events joined are the stream, byte for byte.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::domain::text::BYTE_ORDER_MARK;

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

    /// Returns true if the event has only comments and blank lines: a keep-alive.
    pub fn is_comment_only(&self) -> bool {
        self.lines().all(|line| line.starts_with(b":"))
    }

    /// Returns true for `[DONE]`, by which providers mark the end of a stream.
    pub fn is_done_marker(&self) -> bool {
        self.data().is_some_and(|data| data.trim_ascii() == b"[DONE]")
    }

    /// Returns the lines that are not blank. Splitting CRLF in two adds only a blank line, which is left out.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty())
    }
}

/// Shows only the size: the data is a transcript of a person's speech.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("bytes", &self.raw.len()).finish_non_exhaustive()
    }
}

/// Returns the value of a `data` line, without the one space that may follow its colon.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLENTY: usize = 1 << 20;

    /// Scans a stream in pieces of this size. Returns its events, and the bytes left at its end.
    fn scan(stream: &[u8], piece: usize) -> (Vec<Event>, Option<Event>) {
        let (mut scanner, mut events) = (Scanner::new(PLENTY), Vec::new());
        for piece in stream.chunks(piece) {
            scanner.push(Bytes::copy_from_slice(piece), &mut events).unwrap();
        }
        (events, scanner.finish())
    }

    fn data_of_all(events: &[Event]) -> Vec<Bytes> {
        events.iter().filter_map(Event::data).collect()
    }

    /// Applies the standard's algorithm, line by line over the whole stream.
    fn data_by_the_standard(stream: &str) -> Vec<Bytes> {
        let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
        let (complete, _) = stream.rsplit_once('\n').unwrap_or_default();
        let (mut dispatched, mut data) = (Vec::new(), String::new());
        for line in complete.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            match (line, field) {
                ("", _) => {
                    dispatched.extend(data.strip_suffix('\n').map(|data| Bytes::copy_from_slice(data.as_bytes())));
                    data.clear();
                }
                (_, "data") => {
                    data.push_str(value.strip_prefix(' ').unwrap_or(value));
                    data.push('\n');
                }
                _ => {}
            }
        }
        dispatched
    }

    #[test]
    fn every_framing_is_understood_and_kept() {
        for stream in [
            "data: {\"a\":1}\n\ndata: [DONE]\n\n",
            "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
            "data:{\"a\":1}\r\rdata:[DONE]\r\r",
            "\u{feff}event: delta\nid: 7\ndata: {\"a\":1}\n\n: ping\n\nevent: done\r\ndata: [DONE]\n\r\n",
        ] {
            for piece in 1..=stream.len() {
                let (events, left) = scan(stream.as_bytes(), piece);
                assert_eq!(data_of_all(&events), ["{\"a\":1}", "[DONE]"], "{stream:?} in pieces of {piece}");
                assert_eq!(events.iter().flat_map(Event::raw).copied().collect::<Vec<_>>(), stream.as_bytes());
                assert_eq!(events.iter().filter(|event| event.is_done_marker()).count(), 1);
                assert!(left.is_none());
            }
        }
    }

    #[test]
    fn an_event_is_out_with_its_blank_line_and_does_not_wait_for_more() {
        let (mut scanner, mut events) = (Scanner::new(PLENTY), Vec::new());
        scanner.push(Bytes::from_static(b"data: a\r\n\r"), &mut events).unwrap();
        assert_eq!(data_of_all(&events), ["a"]);
        scanner.push(Bytes::from_static(b"\ndata: b\r\n\r\n"), &mut events).unwrap();
        assert_eq!(data_of_all(&events), ["a", "b"]);
        let raw: Vec<_> = events.iter().map(|event| event.raw().clone()).collect();
        assert_eq!(raw, ["data: a\r\n\r", "\n", "data: b\r\n\r\n"]);
    }

    #[test]
    fn data_follows_the_standard() {
        for (event, data) in [
            ("data: two\ndata: lines\n\n", Some("two\nlines")),
            ("data\n\n", Some("")),
            ("data\ndata:\n\n", Some("\n")),
            ("data:  one space goes\n\n", Some(" one space goes")),
            ("data: a:b\n\n", Some("a:b")),
            ("database: no\n\n", None),
            ("event: error\n\n", None),
            (" data: no\n\n", None),
            ("\n", None),
        ] {
            let (events, _) = scan(event.as_bytes(), PLENTY);
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].data(), data.map(Bytes::from), "{event:?}");
        }
    }

    #[test]
    fn comments_are_told_from_events() {
        let (events, _) = scan(b": ping\n\n\n:\n: pong\n\nevent: x\n\ndata: y\n\n", PLENTY);
        let comments: Vec<_> = events.iter().map(Event::is_comment_only).collect();
        assert_eq!(comments, [true, true, true, false, false]);
    }

    #[test]
    fn what_a_broken_stream_leaves_is_given_back() {
        let (events, left) = scan(b"data: a\n\ndata: b\n", 4);
        assert_eq!(events.len(), 1);
        let left = left.unwrap();
        assert_eq!((&left.raw()[..], left.data()), (&b"data: b\n"[..], Some(Bytes::from("b"))));
    }

    #[test]
    fn an_event_over_the_limit_is_refused_after_those_before_it() {
        let limit = "data: 456\n\n".len();
        for piece in 1..40 {
            let (mut scanner, mut events) = (Scanner::new(limit), Vec::new());
            let mut pieces = b"data: 456\n\ndata: 4567\n\n".chunks(piece);
            let refused = pieces.find_map(|piece| scanner.push(Bytes::copy_from_slice(piece), &mut events).err());
            assert_eq!(refused, Some(EventTooLarge { limit }));
            assert_eq!(data_of_all(&events), ["456"]);
        }
    }

    #[test]
    fn debug_shows_no_speech() {
        let (events, _) = scan(b"data: secret\n\n", PLENTY);
        assert_eq!(format!("{:?}", events[0]), "Event { bytes: 14, .. }");
    }

    proptest! {
        #[test]
        fn any_stream_in_any_pieces_gives_the_standards_data_and_its_own_bytes(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "\n", "\n", "\r", "\r\n", "\r\n", "data", "data:", "data: x", "data: {\"y\":1}", ":", ": ping", "event: e",
                    "id:1", " ", "é", "\u{feff}",
                ]),
                0..40,
            ),
            marked: bool,
            piece in 1..12_usize,
        ) {
            // After a byte order mark, the scanner sees an empty line as not blank; the standard yields no event either
            // way.
            let stream = if marked { "\u{feff}" } else { "" }.to_owned() + &parts.concat();
            let (events, left) = scan(stream.as_bytes(), piece);
            prop_assert_eq!(data_of_all(&events), data_by_the_standard(&stream));
            let raw: Vec<u8> = events.iter().chain(&left).flat_map(Event::raw).copied().collect();
            prop_assert_eq!(raw, stream.as_bytes());
        }
    }
}
