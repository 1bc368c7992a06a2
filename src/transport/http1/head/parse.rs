//! The parser of a head: finds its end, then refuses it if two servers could read it in two ways.

use super::fault::{HeadFault, MAX_FIELDS, MAX_HEAD_BYTES};
use super::fields::{BodyLength, Fields};
use super::grammar::{field_of, is_token, lines_of, trimmed};
use super::request_line::RequestLine;

/// The largest number of blank lines before a request line. Some clients send one by mistake (RFC 9112 §2.2).
const MAX_BLANK_LINES: usize = 2;

/// A head with only one possible reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport::http1) struct Head {
    /// The way to find the end of the body.
    pub(in crate::transport::http1) body: BodyLength,
    /// The head for actix, if it differs from the head that the client sent.
    pub(in crate::transport::http1) rewritten: Option<Vec<u8>>,
}

/// Returns the number of bytes in blank lines before the first line, which the caller skips.
pub(in crate::transport::http1) fn blank_lines(bytes: &[u8]) -> Result<usize, HeadFault> {
    let mut rest = bytes;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    let blank = bytes.len() - rest.len();
    if blank > MAX_BLANK_LINES * 2 { Err(HeadFault::RequestLine) } else { Ok(blank) }
}

/// Returns the length of the head at the start of `bytes`, or `None` until its blank line has arrived. `scanned` is the
/// number of bytes that earlier calls have checked; each call advances it. Refuses a head that cannot become a request
/// before its end arrives.
pub(in crate::transport::http1) fn find_end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, HeadFault> {
    if bytes.first().is_some_and(|first| *first != b'\r' && !is_token(&[*first])) {
        return Err(HeadFault::RequestLine);
    }
    while let Some(line) = clean_line(bytes, *scanned) {
        *scanned += line;
        if ends_head(bytes, *scanned) {
            return whole_head(*scanned);
        }
    }
    let mut previous = scanned.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    for byte in bytes.iter().skip(*scanned).copied() {
        match (previous, byte) {
            (Some(b'\r'), b'\n') => {}
            (_, b'\n') => return Err(HeadFault::BareLineFeed),
            (Some(b'\r'), _) => return Err(HeadFault::BareCarriageReturn),
            (_, b'\r' | b'\t') => {}
            (_, ..0x20 | 0x7f) => return Err(HeadFault::ControlCharacter),
            _ => {}
        }
        *scanned += 1;
        previous = Some(byte);
        if byte == b'\n' && ends_head(bytes, *scanned) {
            return whole_head(*scanned);
        }
    }
    if bytes.len() > MAX_HEAD_BYTES { Err(HeadFault::TooLarge) } else { Ok(None) }
}

/// Returns the length of the line at `start`, with its CRLF, if it is complete and holds no control character: the usual
/// line, which is checked without a look at each pair of bytes.
fn clean_line(bytes: &[u8], start: usize) -> Option<usize> {
    let (before, rest) = bytes.split_at_checked(start)?;
    if !matches!(before.last(), None | Some(b'\n')) {
        return None;
    }
    let length = memchr::memchr(b'\n', rest)? + 1;
    let text = rest.get(..length)?.strip_suffix(b"\r\n")?;
    let is_clean = text.iter().fold(true, |is_clean, byte| is_clean & !matches!(byte, ..0x20 | 0x7f));
    is_clean.then_some(length)
}

fn ends_head(bytes: &[u8], end: usize) -> bool {
    bytes.get(..end).is_some_and(|head| head.ends_with(b"\r\n\r\n"))
}

fn whole_head(length: usize) -> Result<Option<usize>, HeadFault> {
    if length > MAX_HEAD_BYTES { Err(HeadFault::TooLarge) } else { Ok(Some(length)) }
}

/// Parses a complete head, as measured by [`find_end`].
pub(in crate::transport::http1) fn parse(head: &[u8]) -> Result<Head, HeadFault> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = lines_of(text);
    let line = RequestLine::parse(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    for (at, raw) in lines.enumerate() {
        if at >= MAX_FIELDS {
            return Err(HeadFault::TooManyFields);
        }
        fields.add(raw)?;
    }
    line.check_host(fields.host)?;
    let body = fields.body_length(line.is_http10, line.method == b"POST")?;
    let rewritten = fields.has_upgrade.then(|| without_upgrade(text));
    Ok(Head { body, rewritten })
}

/// Copies the head without the fields that ask for another protocol, which a server may ignore (RFC 9110 §7.8). actix
/// treats the body after an `Upgrade: websocket` as endless.
fn without_upgrade(text: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(text.len() + 4);
    for (at, line) in lines_of(text).enumerate() {
        match field_of(line).filter(|_| at > 0) {
            Some((name, _)) if name.eq_ignore_ascii_case(b"upgrade") => continue,
            Some((name, value)) if name.eq_ignore_ascii_case(b"connection") => {
                let options = value.split(|byte| *byte == b',').map(trimmed);
                let kept: Vec<_> = options.filter(|option| !option.eq_ignore_ascii_case(b"upgrade")).collect();
                head.extend_from_slice(b"connection: ");
                head.extend_from_slice(&kept.join(b", ".as_slice()));
            }
            _ => head.extend_from_slice(line),
        }
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
