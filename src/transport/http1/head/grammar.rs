//! The lines, fields and tokens of a head (RFC 9112 §2, RFC 9110 §5).

/// Returns the lines of a head whose every LF follows a CR, as `find_end` has checked.
pub(super) fn lines_of(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Splits a header line into name and value.
pub(super) fn field_of(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at_checked(colon)?;
    is_token(name).then_some((name, trimmed(value.get(1..)?)))
}

/// Removes the whitespace around a value (RFC 9110 §5.6.3).
pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// Returns true for a token of RFC 9110 §5.6.2.
pub(super) fn is_token(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
