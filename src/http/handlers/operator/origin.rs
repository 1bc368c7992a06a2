//! Whom a browser asks, and for whom.
//!
//! A page that resolves its own name to this machine (DNS rebinding) shares an origin with the answers that it gets, so the
//! name in a request must be the gateway's. A page of another origin must get nothing at all.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;
use url::{Host, Url};

/// The relation of a request to the page that sent it, as browsers state it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The purpose of a request, as browsers state it.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The headers that proxies add.
const BY_PROXIES: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Returns the host and the port that a request is for, if it names one host only.
pub(super) fn authority(request: &HttpRequest) -> Option<Authority> {
    let mut hosts = request.headers().get_all(HOST).map(|value| value.to_str().ok()?.parse::<Authority>().ok());
    let named = match (request.uri().authority().cloned(), hosts.next()) {
        (Some(of_line), None) => of_line,
        (None, Some(of_header)) => of_header?,
        (Some(of_line), Some(of_header)) if of_header.as_ref() == Some(&of_line) => of_line,
        (Some(_), Some(_)) | (None, None) => return None,
    };
    (hosts.next().is_none() && !named.as_str().contains('@')).then_some(named)
}

/// Returns true if a request for `host` is for this gateway: by an address, which no page can have for a name, by
/// `localhost`, or by one of `names`.
pub(super) fn is_own(host: &str, names: &[String]) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Ok(Host::Domain(name)) => name == "localhost" || names.contains(&name),
        Err(_) => false,
    }
}

/// Returns true if `host` means this machine on any machine: `localhost`, or a loopback address.
pub(super) fn is_this_machine(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        Err(_) => false,
    }
}

/// Returns true if a proxy states that it has passed the request on.
pub(super) fn is_forwarded(request: &HttpRequest) -> bool {
    BY_PROXIES.iter().any(|name| request.headers().contains_key(*name))
}

/// Returns true if a browser states that a page of another origin sent the request to `own`.
pub(super) fn is_from_elsewhere(request: &HttpRequest, own: &Authority) -> bool {
    let text = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let is_foreign = text(ORIGIN).is_some_and(|origin| !is_origin_of(origin, own));
    is_foreign
        || match text(FETCH_SITE) {
            Some("cross-site") => true,
            // Another port of this machine. A link may lead here from there.
            Some("same-site") => text(FETCH_MODE) != Some("navigate"),
            _ => false,
        }
}

/// Returns true if `origin` is that of pages from `own`, over HTTP or, behind a proxy, over HTTPS.
fn is_origin_of(origin: &str, own: &Authority) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let written = format!("{}://{own}", url.scheme());
    let is_web = matches!(url.scheme(), "http" | "https");
    is_web && Url::parse(&written).is_ok_and(|own| own.origin() == url.origin())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_the_gateways() {
        let names = ["ops.example.com".to_owned()];
        for host in ["127.0.0.1", "10.1.2.3", "[::1]", "localhost", "LOCALHOST", "ops.example.com", "Ops.Example.com"] {
            assert!(is_own(host, &names), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "a.localhost", "ops.example.com.evil.example", "", "localhost."]
        {
            assert!(!is_own(host, &names), "{host}");
        }
        assert!(!is_own("ops.example.com", &[]));
    }

    #[test]
    fn a_request_is_for_the_one_host_that_it_names() {
        let of = |hosts: &[&'static str]| {
            let request = hosts.iter().fold(TestRequest::get(), |request, host| request.append_header((HOST, *host)));
            authority(&request.to_http_request()).map(|authority| authority.to_string())
        };
        assert_eq!(of(&["localhost:9464"]).as_deref(), Some("localhost:9464"));
        for none in [&[][..], &["localhost", "evil.example"], &["a@localhost"], &["a b"], &[""]] {
            assert_eq!(of(none), None, "{none:?}");
        }
        let both = |line: &str, host: &'static str| {
            authority(&TestRequest::get().uri(line).insert_header((HOST, host)).to_http_request())
        };
        assert!(both("http://localhost/operator/state", "localhost").is_some());
        assert!(both("http://localhost/operator/state", "evil.example").is_none());
    }

    #[test]
    fn a_page_of_another_origin_is_from_elsewhere() {
        let own: Authority = "localhost:9464".parse().unwrap();
        let of = |headers: &[(&'static str, &'static str)]| {
            let request = headers.iter().fold(TestRequest::get(), |request, header| request.append_header(*header));
            is_from_elsewhere(&request.to_http_request(), &own)
        };
        for own in [
            &[][..],
            &[("origin", "http://localhost:9464")],
            &[("origin", "https://localhost:9464"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
        ] {
            assert!(!of(own), "{own:?}");
        }
        for other in [
            &[("origin", "null")][..],
            &[("origin", "http://localhost:8080")],
            &[("origin", "http://127.0.0.1:9464")],
            &[("origin", "http://evil.example")],
            &[("origin", "chrome-extension://localhost:9464")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")],
        ] {
            assert!(of(other), "{other:?}");
        }
        let secure: Authority = "ops.example.com".parse().unwrap();
        assert!(
            is_origin_of("https://ops.example.com", &secure) && !is_origin_of("https://ops.example.com:444", &secure)
        );
    }
}
