//! What proxies say of a request that came to them: `Forwarded` (RFC 7239) and `X-Forwarded-Proto`.

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_PROTO};

/// Stands for what cannot be read, which is then not `https`.
const UNREADABLE: &str = "unreadable";

/// Whether every proxy that says how it was asked was asked over HTTPS, and one does. What a client wrote itself can then
/// only make it less.
pub(in crate::http) fn came_to_proxies_securely(headers: &HeaderMap) -> bool {
    let values = |name: HeaderName| headers.get_all(name).map(|value| value.to_str().unwrap_or(UNREADABLE));
    let mut said: Vec<String> = Vec::new();
    for value in values(X_FORWARDED_PROTO) {
        // An empty element is none (RFC 9110 §5.6.1.2), but a header without an element says something, and nothing good.
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

/// The `proto` of each element of a `Forwarded`, where it has one. `None` where it is not written as RFC 7239 §4 has it:
/// elements with commas between them, pairs with semicolons between them, each a token and a token or a quoted string.
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
            // Twice in one element can be read in two ways.
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

/// A value with its quotes and escapes taken away. An address with a colon or brackets should be quoted, and often is not.
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
            // What stands between quotes is a value, whatever it looks like.
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
        /// Whatever a client puts into a quoted value, the word of the proxy behind it counts.
        #[test]
        fn a_quoted_value_says_nothing_of_the_protocol(inside in "[ -~]{0,40}", proto in prop::sample::select(vec!["http", "https"])) {
            let quoted = inside.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("for=\"{quoted}\", for=192.0.2.1;proto={proto}");
            prop_assert_eq!(securely(&[("forwarded", &value)]), proto == "https", "{}", value);
        }
    }
}
