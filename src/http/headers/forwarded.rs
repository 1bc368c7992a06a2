//! The headers in which proxies state the scheme of the original request: `Forwarded` (RFC 7239) and
//! `X-Forwarded-Proto`.

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_PROTO};

/// The scheme that stands for an unreadable value; it is not `https`.
const UNREADABLE: &str = "unreadable";

/// Returns true if at least one proxy states a scheme and all stated schemes are `https`. Values that a client writes
/// itself can only turn the result to false.
pub(in crate::http) fn came_to_proxies_securely(headers: &HeaderMap) -> bool {
    let values = |name: HeaderName| headers.get_all(name).map(|value| value.to_str().unwrap_or(UNREADABLE));
    let mut said: Vec<String> = Vec::new();
    for value in values(X_FORWARDED_PROTO) {
        // An empty element counts as none (RFC 9110 §5.6.1.2). A header without any element counts as unreadable.
        let elements: Vec<_> = value.split(',').map(str::trim).filter(|element| !element.is_empty()).collect();
        said.extend(elements.iter().map(|element| (*element).to_owned()));
        if elements.is_empty() {
            said.push(UNREADABLE.to_owned());
        }
    }
    for value in values(FORWARDED) {
        match protocols(value) {
            Some(protocols) => said.extend(protocols),
            None => return false,
        }
    }
    !said.is_empty() && said.iter().all(|protocol| protocol.eq_ignore_ascii_case("https"))
}

/// Returns the `proto` of each element of a `Forwarded` header that has one; `None` if the header breaks the syntax of
/// RFC 7239 §4: elements separated by commas, pairs separated by semicolons, and each pair a token and a token or
/// quoted string.
fn protocols(value: &str) -> Option<Vec<String>> {
    let (mut rest, mut found, mut has_one) = (value.trim_start(), Vec::new(), false);
    loop {
        if let Some(after) = rest.strip_prefix(',') {
            (rest, has_one) = (after.trim_start(), false);
            continue;
        }
        if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start();
            continue;
        }
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = token(rest)?;
        let (text, after) = value_of(after.strip_prefix('=')?)?;
        if name.eq_ignore_ascii_case("proto") {
            // Two of them in one element are ambiguous.
            if std::mem::replace(&mut has_one, true) {
                return None;
            }
            found.push(text);
        }
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with([',', ';']) {
            return None;
        }
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

/// Returns a value without its quotes and escapes, and the rest of the text. Accepts an unquoted address with a colon
/// or brackets: RFC 7239 requires quotes there, and many proxies leave them out.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', '"', ' ', '\t']).unwrap_or(text.len());
        return text.split_at_checked(end).map(|(value, rest)| (value.to_owned(), rest));
    };
    let (mut value, mut characters) = (String::new(), quoted.chars());
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn securely(pairs: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        came_to_proxies_securely(&headers)
    }

    #[test]
    fn every_proxy_has_to_have_been_asked_over_https() {
        let (short, standard) = ("x-forwarded-proto", "forwarded");
        for (said, expected) in [
            (vec![], false),
            (vec![(short, "https")], true),
            (vec![(short, "HTTPS")], true),
            (vec![(short, "http")], false),
            (vec![(short, "https, http")], false),
            (vec![(short, "http, https")], false),
            (vec![(short, "https,")], true),
            (vec![(short, "https"), (short, "http")], false),
            (vec![(short, "https"), (short, "")], false),
            (vec![(short, "")], false),
            (vec![(short, "\"https\"")], false),
            (vec![(standard, "for=192.0.2.1;proto=https;by=203.0.113.1")], true),
            (vec![(standard, "for=\"[2001:db8::1]:4711\"; Proto=\"https\"")], true),
            (vec![(standard, "for=[2001:db8::1]:4711;proto=https")], true),
            (vec![(standard, "for=192.0.2.1")], false),
            (vec![(standard, "proto=https, for=192.0.2.1;proto=http")], false),
            (vec![(standard, "for=\"proto=https"), (standard, "proto=http")], false),
            (vec![(short, "https"), (standard, "proto=http")], false),
            (vec![(short, "https"), (standard, "for=192.0.2.1")], true),
            // Text between quotes is a value, even if it looks like a pair.
            (vec![(standard, "for=\"a,proto=http\";proto=https")], true),
            (vec![(standard, "for=\"a;proto=http\";proto=https")], true),
            (vec![(standard, "for=\"a, proto=https\"")], false),
            (vec![(standard, "for=\"a\\\",proto=https\"")], false),
            (vec![(standard, "for=\"a\\\\\",proto=https")], true),
            (vec![(standard, "proto=\"ht\\tps\"")], true),
            (vec![(standard, "proto=\"http,https\"")], false),
            (vec![(standard, "proto=https;proto=http")], false),
            (vec![(standard, "proto=https;for=\"")], false),
            (vec![(standard, "proto=https;for=\"a\\")], false),
            (vec![(standard, "proto=https b")], false),
            (vec![(standard, "proto =https")], false),
            (vec![(standard, "proto=https,,for=a,")], true),
        ] {
            assert_eq!(securely(&said), expected, "{said:?}");
        }
    }

    proptest! {
        /// A client cannot override the proxy's own statement, whatever quoted value it sends.
        #[test]
        fn a_quoted_value_says_nothing_of_the_protocol(inside in "[ -~]{0,40}", proto in prop::sample::select(vec!["http", "https"])) {
            let quoted = inside.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("for=\"{quoted}\", for=192.0.2.1;proto={proto}");
            prop_assert_eq!(securely(&[("forwarded", &value)]), proto == "https", "{}", value);
        }
    }
}
