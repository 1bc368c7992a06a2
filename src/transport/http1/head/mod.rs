//! Strict parsing of HTTP/1 request heads: refuses each head that two servers could read in two ways.
//!
//! actix is more lenient (it accepts a bare LF as a line end), and refuses with an empty answer. [`find_end`] and
//! [`parse`] check each head before actix sees it, so that every refusal states its reason.

use std::str::from_utf8;

use actix_web::http::Uri;
use actix_web::http::uri::Authority;

/// The largest head: request line, header fields and the blank line, in bytes.
pub(super) const MAX_HEAD_BYTES: usize = 128 * 1024;

/// The largest number of header fields in a head, which is also actix's limit.
const MAX_FIELDS: usize = 96;

/// The length limit of a target in the `http` crate.
const MAX_TARGET_BYTES: usize = 65_534;

/// The largest number of blank lines before a request line. Some clients send one by mistake (RFC 9112 §2.2).
const MAX_BLANK_LINES: usize = 2;

/// The reasons to refuse a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// RFC 9112 §2.2 lets a server accept a bare LF as a line end, but a proxy in front may not.
    #[error("A line of the request's head ends in LF alone. Lines end in CRLF.")]
    BareLineFeed,
    /// RFC 9112 §2.2.
    #[error("The request's head holds a CR that is not followed by LF.")]
    BareCarriageReturn,
    /// RFC 9110 §5.5.
    #[error("The request's head holds a control character.")]
    ControlCharacter,
    /// RFC 9112 §3.
    #[error("The first line is not a request line: a method, a target and a version, with one space between them.")]
    RequestLine,
    /// RFC 9112 §2.3.
    #[error("The version of the request line is not one that is spoken here: 1.0 or 1.1.")]
    Version,
    /// RFC 9112 §3.2.
    #[error("The target of the request line is neither a path nor an absolute URL.")]
    Target,
    /// The gateway is no tunnel (RFC 9110 §9.3.6).
    #[error("CONNECT opens no tunnel here.")]
    Connect,
    /// RFC 9112 §5.1.
    #[error("A header line has no name before its colon, or a character in it that no name has.")]
    FieldName,
    /// RFC 9112 §5.2.
    #[error("A header line begins with a blank. A header does not go on in the next line.")]
    Folded,
    /// RFC 9112 §3.2.
    #[error("The request has no Host header, more than one, or one that names no host.")]
    Host,
    /// RFC 9112 §3.2.2 gives the target precedence, but a proxy in front may use the `Host` header.
    #[error("The target of the request line and the Host header name different hosts.")]
    OtherHost,
    /// RFC 9112 §6.3.
    #[error("Content-Length is not one whole number, or comes more than once.")]
    ContentLength,
    /// RFC 9112 §6.1.
    #[error("Transfer-Encoding is something other than `chunked`, or comes more than once.")]
    TransferEncoding,
    /// RFC 9112 §6.1.
    #[error("The request has both Content-Length and Transfer-Encoding.")]
    TwoLengths,
    /// RFC 9112 §6.1.
    #[error("A request over HTTP/1.0 cannot be sent in chunks. Send a Content-Length, or speak a later version.")]
    ChunkedHttp10,
    /// RFC 1945 §8.3.
    #[error("A request over HTTP/1.0 with a body needs a Content-Length.")]
    LengthMissing,
    /// [`MAX_TARGET_BYTES`].
    #[error("The target of the request line is longer than {MAX_TARGET_BYTES} bytes.")]
    TargetTooLong,
    /// [`MAX_HEAD_BYTES`].
    #[error("The request's head is larger than {MAX_HEAD_BYTES} bytes.")]
    TooLarge,
    /// [`MAX_FIELDS`].
    #[error("The request's head has more than {MAX_FIELDS} header lines.")]
    TooManyFields,
    /// `server.header_timeout` has passed.
    #[error("The request's head did not arrive in time.")]
    Slow,
}

/// A head with only one possible reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The way to find the end of the body.
    pub(super) body: BodyLength,
    /// The head for actix, if it differs from the head that the client sent.
    pub(super) rewritten: Option<Vec<u8>>,
}

/// The way to find the end of a body (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// The length in bytes; 0 if there is no body.
    Known(u64),
    /// The last chunk ends the body.
    Chunked,
}

/// Returns the number of bytes in blank lines before the first line, which the caller skips.
pub(super) fn blank_lines(bytes: &[u8]) -> Result<usize, Fault> {
    let mut rest = bytes;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    let blank = bytes.len() - rest.len();
    if blank > MAX_BLANK_LINES * 2 { Err(Fault::RequestLine) } else { Ok(blank) }
}

/// Returns the length of the head at the start of `bytes`, or `None` until its blank line has arrived. `scanned` is the
/// number of bytes that earlier calls have checked; each call advances it. Refuses a head that cannot become a request
/// before its end arrives.
pub(super) fn find_end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, Fault> {
    if bytes.first().is_some_and(|first| *first != b'\r' && !is_token(&[*first])) {
        return Err(Fault::RequestLine);
    }
    let mut previous = scanned.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    for byte in bytes.iter().skip(*scanned).copied() {
        match (previous, byte) {
            (Some(b'\r'), b'\n') => {}
            (_, b'\n') => return Err(Fault::BareLineFeed),
            (Some(b'\r'), _) => return Err(Fault::BareCarriageReturn),
            (_, b'\r' | b'\t') => {}
            (_, ..0x20 | 0x7f) => return Err(Fault::ControlCharacter),
            _ => {}
        }
        *scanned += 1;
        previous = Some(byte);
        if byte == b'\n' && bytes.get(..*scanned).is_some_and(|head| head.ends_with(b"\r\n\r\n")) {
            return if *scanned > MAX_HEAD_BYTES { Err(Fault::TooLarge) } else { Ok(Some(*scanned)) };
        }
    }
    if bytes.len() > MAX_HEAD_BYTES { Err(Fault::TooLarge) } else { Ok(None) }
}

/// Parses a complete head, as measured by [`find_end`].
pub(super) fn parse(head: &[u8]) -> Result<Head, Fault> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = lines_of(text);
    let line = RequestLine::read(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    for (at, raw) in lines.enumerate() {
        if at >= MAX_FIELDS {
            return Err(Fault::TooManyFields);
        }
        fields.add(raw)?;
    }
    line.check_host(&fields)?;
    let body = fields.body_length(&line)?;
    let rewritten = fields.has_upgrade.then(|| without_upgrade(text));
    Ok(Head { body, rewritten })
}

fn lines_of(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    // `find_end` has checked that every LF follows a CR.
    head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The request line.
struct RequestLine<'a> {
    method: &'a [u8],
    is_http10: bool,
    /// The host in an absolute-form target.
    authority: Option<Authority>,
    is_plain: bool,
}

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, Fault> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Fault::RequestLine);
        };
        if !is_token(method) {
            return Err(Fault::RequestLine);
        }
        let is_http10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Fault::Version),
        };
        if method == b"CONNECT" {
            return Err(Fault::Connect);
        }
        if target.len() > MAX_TARGET_BYTES {
            return Err(Fault::TargetTooLong);
        }
        let uri = Uri::try_from(target).map_err(|_| Fault::Target)?;
        let authority = match target.first() {
            Some(b'/') => None,
            Some(b'*') if target.len() == 1 && method == b"OPTIONS" => None,
            _ => Some(absolute(&uri).ok_or(Fault::Target)?.clone()),
        };
        Ok(Self { method, is_http10, authority, is_plain: uri.scheme_str() == Some("http") })
    }

    fn check_host(&self, fields: &Fields<'_>) -> Result<(), Fault> {
        let host = match fields.hosts.as_slice() {
            [] if self.is_http10 => return Ok(()),
            [host] => *host,
            _ => return Err(Fault::Host),
        };
        // The value is empty if the target names no host (RFC 9112 §3.2).
        let named = if host.is_empty() { None } else { Some(host_of(host).ok_or(Fault::Host)?) };
        match (&self.authority, named) {
            (Some(target), Some(host)) if self.same_place(target, &host) => Ok(()),
            (Some(_), _) => Err(Fault::OtherHost),
            (None, _) => Ok(()),
        }
    }

    fn same_place(&self, target: &Authority, host: &Authority) -> bool {
        let usual = if self.is_plain { 80 } else { 443 };
        let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
        target.host().eq_ignore_ascii_case(host.host()) && port(target) == port(host)
    }
}

fn absolute(uri: &Uri) -> Option<&Authority> {
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(())?;
    uri.authority().filter(|authority| is_host(authority))
}

/// Parses the host in a `Host` header; `None` if it is not a valid host.
pub(in crate::transport) fn host_of(value: &[u8]) -> Option<Authority> {
    Authority::try_from(value).ok().filter(is_host)
}

/// Returns true unless user information precedes the host (RFC 9110 §4.2.4).
fn is_host(authority: &Authority) -> bool {
    let (text, host) = (authority.as_str(), authority.host());
    let port_is_right = matches!(text.strip_prefix(host), Some("" | ":")) || authority.port_u16().is_some();
    text.is_ascii() && !text.contains('@') && !host.is_empty() && port_is_right
}

/// The header fields that concern the body and the host.
#[derive(Default)]
struct Fields<'a> {
    hosts: Vec<&'a [u8]>,
    lengths: Vec<&'a [u8]>,
    codings: Vec<&'a [u8]>,
    has_upgrade: bool,
}

impl<'a> Fields<'a> {
    fn add(&mut self, line: &'a [u8]) -> Result<(), Fault> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Fault::Folded);
        }
        let (name, value) = field_of(line).ok_or(Fault::FieldName)?;
        let list = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut self.hosts,
            14 if name.eq_ignore_ascii_case(b"content-length") => &mut self.lengths,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => &mut self.codings,
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.has_upgrade = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        list.push(value);
        Ok(())
    }

    fn body_length(&self, line: &RequestLine<'_>) -> Result<BodyLength, Fault> {
        let length = match self.lengths.as_slice() {
            [] => None,
            [digits] => Some(whole_number(digits).ok_or(Fault::ContentLength)?),
            _ => return Err(Fault::ContentLength),
        };
        match (self.codings.as_slice(), length) {
            ([], Some(length)) => Ok(BodyLength::Known(length)),
            ([], None) if line.is_http10 && line.method == b"POST" => Err(Fault::LengthMissing),
            ([], None) => Ok(BodyLength::Known(0)),
            _ if line.is_http10 => Err(Fault::ChunkedHttp10),
            (_, Some(_)) => Err(Fault::TwoLengths),
            ([coding], None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
            _ => Err(Fault::TransferEncoding),
        }
    }
}

/// Splits a header line into name and value.
fn field_of(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at_checked(colon)?;
    is_token(name).then_some((name, trimmed(value.get(1..)?)))
}

/// Removes the whitespace around a value (RFC 9110 §5.6.3).
fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

fn whole_number(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then_some(())?;
    from_utf8(digits).ok()?.parse().ok()
}

/// Returns true for a token of RFC 9110 §5.6.2.
fn is_token(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
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

#[cfg(test)]
mod tests;
