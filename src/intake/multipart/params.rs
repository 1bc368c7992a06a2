//! A header's value and its parameters, as MIME writes them: `form-data; name="file"`, `text/plain; charset=utf-8` (RFC
//! 2045 §5.1). The parser is lenient if only one reading makes sense.

/// A parameter of a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Param {
    /// The name in lower case.
    pub(super) name: String,
    /// The value without quotes and escapes.
    pub(super) value: Vec<u8>,
    /// True if the value was quoted.
    pub(super) quoted: bool,
}

/// Returns true if `byte` may be part of a token (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns the value before the first semicolon, in lower case, and the parameters after it; `None` if the text is
/// malformed.
pub(super) fn split(text: &[u8]) -> Option<(String, Vec<Param>)> {
    let end = memchr::memchr(b';', text).unwrap_or(text.len());
    let (value, mut rest) = text.split_at(end);
    let value = value.trim_ascii();
    if !value.iter().all(|&byte| is_token(byte) || byte == b'/') {
        return None;
    }
    let value = String::from_utf8_lossy(value).to_ascii_lowercase();
    let mut params = Vec::new();
    while let Some((_, after)) = rest.split_first() {
        let (param, left) = take_param(after)?;
        params.extend(param);
        rest = left;
    }
    Some((value, params))
}

/// Returns the next parameter, or none if nothing is between two semicolons, and the rest, which is empty or begins
/// with the next semicolon.
fn take_param(text: &[u8]) -> Option<(Option<Param>, &[u8])> {
    let at = memchr::memchr2(b';', b'=', text).unwrap_or(text.len());
    let (name, rest) = text.split_at(at);
    let name = name.trim_ascii();
    let Some((b'=', after)) = rest.split_first() else {
        // A name without a value is ignored.
        return Some((None, rest));
    };
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return None;
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let (value, quoted, rest) = if let Some(inner) = after.trim_ascii_start().strip_prefix(b"\"") {
        let (value, rest) = quoted_value(inner)?;
        // Some clients send file names with unescaped quotes.
        let next = memchr::memchr(b';', rest).unwrap_or(rest.len());
        (value, true, rest.get(next..).unwrap_or_default())
    } else {
        let (bare, rest) = after.split_at(memchr::memchr(b';', after).unwrap_or(after.len()));
        (bare.trim_ascii().to_vec(), false, rest)
    };
    Some((Some(Param { name, value, quoted }), rest))
}

/// Returns the text before the closing quote, and the text after it. A backslash escapes a quote or another backslash;
/// other backslashes are part of the paths that old browsers send.
fn quoted_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                value.push(*escaped);
                after
            }
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_apart_whatever_is_between_their_quotes() {
        let param = |name: &str, value: &str, quoted| Param { name: name.to_owned(), value: value.into(), quoted };
        let cases: [(&str, &str, Vec<Param>); 7] = [
            ("form-data", "form-data", vec![]),
            (" Form-Data ; A=b", "form-data", vec![param("a", "b", false)]),
            ("a/b;;c=\"d;e=f\" ; g = h i ;", "a/b", vec![param("c", "d;e=f", true), param("g", "h i", false)]),
            ("a; b=\"\\\"\\\\\\x\"", "a", vec![param("b", "\"\\\\x", true)]),
            ("a; b=c=d", "a", vec![param("b", "c=d", false)]),
            ("a; word; b=", "a", vec![param("b", "", false)]),
            ("", "", vec![]),
        ];
        for (text, value, params) in cases {
            assert_eq!(split(text.as_bytes()), Some((value.to_owned(), params)), "{text}");
        }
        for wrong in ["a b", "a; b=\"c", "a; =c", "a; b c=d", "\"a\""] {
            assert_eq!(split(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
