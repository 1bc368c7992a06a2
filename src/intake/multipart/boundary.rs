//! The boundary of a form, from its `Content-Type` (RFC 2046 §5.1.1).

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::params;
use crate::intake::IntakeError;

/// The maximum length of a boundary in bytes (RFC 2046 §5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;

/// Returns the boundary that a `Content-Type` names.
///
/// RFC 2046 allows more characters in a boundary than RFC 2045 does in an unquoted value. Some libraries write `=`,
/// `:`, `/`, `?` and the like without quotes; these are accepted, since only one reading is possible. Blanks are
/// refused: another reader would end the boundary at the first one.
pub(super) fn from_headers(headers: &HeaderMap) -> Result<String, IntakeError> {
    let wrong = |what: &str| IntakeError::Multipart(what.to_owned());
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let (_, params) = params::split(content_type).ok_or_else(|| wrong("its Content-Type is malformed"))?;
    let mut named = params.into_iter().filter(|param| param.name == "boundary");
    let boundary = named.next().filter(|param| !param.value.is_empty());
    let boundary = boundary.ok_or_else(|| wrong("its Content-Type names no boundary"))?;
    if named.next().is_some() {
        return Err(wrong("its Content-Type names two boundaries"));
    }
    if !boundary.quoted && boundary.value.contains(&b' ') {
        return Err(wrong("its Content-Type has a boundary with blanks, which has to stand between quotes"));
    }
    if boundary.value.len() > MAX_BOUNDARY_BYTES {
        return Err(IntakeError::Multipart(format!("its boundary is longer than {MAX_BOUNDARY_BYTES} characters")));
    }
    let allowed = |byte: u8| params::is_token(byte) || b"(),/:=? ".contains(&byte);
    if boundary.value.ends_with(b" ") || !boundary.value.iter().copied().all(allowed) {
        return Err(wrong("its boundary has characters that none may have, or ends with a blank"));
    }
    String::from_utf8(boundary.value).map_err(|_| wrong("its Content-Type is malformed"))
}

/// Returns the headers that the form's parser reads.
pub(super) fn to_headers(boundary: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("multipart/form-data; boundary=\"{boundary}\"")) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(&format!("multipart/form-data{params}")).unwrap());
        from_headers(&headers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_boundary_may_have_what_rfc_2046_allows_with_and_without_quotes() {
        let longest = "x".repeat(70);
        for (params, boundary) in [
            ("; boundary=abc", "abc"),
            (";BOUNDARY=\"abc\"", "abc"),
            ("; charset=utf-8; boundary=abc; x=y", "abc"),
            ("; boundary=----=_Part_7_1.2", "----=_Part_7_1.2"),
            ("; boundary=\"----=_Part_7_1.2\"", "----=_Part_7_1.2"),
            ("; boundary=a'()+_,-./:=?b", "a'()+_,-./:=?b"),
            ("; boundary=\"a'()+_,-./:=? b\"", "a'()+_,-./:=? b"),
            ("; boundary= abc ", "abc"),
            (&format!("; boundary={longest}"), &longest),
        ] {
            assert_eq!(read(params).as_deref(), Ok(boundary), "{params}");
            let parser = to_headers(boundary);
            assert_eq!(from_headers(&parser).ok().as_deref(), Some(boundary), "{params}");
        }
    }

    #[test]
    fn a_boundary_that_none_may_have_is_refused_in_words() {
        let long = "x".repeat(71);
        for (params, what) in [
            ("", "names no boundary"),
            ("; boundary=", "names no boundary"),
            ("; boundary=\"\"", "names no boundary"),
            ("; boundary=a; boundary=a", "names two boundaries"),
            ("; boundary=a b", "between quotes"),
            ("; boundary=\"a \"", "ends with a blank"),
            ("; boundary=\"a\\\"b\"", "none may have"),
            ("; boundary=a@b", "none may have"),
            (&format!("; boundary={long}"), "longer than 70"),
            ("; boundary=\"a", "malformed"),
        ] {
            let refused = read(params).unwrap_err();
            assert!(refused.contains(what), "{params}: {refused}");
        }
    }
}
