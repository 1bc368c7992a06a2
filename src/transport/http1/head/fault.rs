//! The reasons to refuse a head, and the bounds that some of them name.

/// The largest head: request line, header fields and the blank line, in bytes.
pub(super) const MAX_HEAD_BYTES: usize = 128 * 1024;

/// The largest number of header fields in a head, which is also actix's limit.
pub(super) const MAX_FIELDS: usize = 96;

/// The length limit of a target in the `http` crate.
pub(super) const MAX_TARGET_BYTES: usize = 65_534;

/// The reason to refuse a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
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
