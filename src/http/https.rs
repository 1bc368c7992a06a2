//! Whether a request came over HTTPS, and what follows from that.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{
    FORWARDED, HeaderMap, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, X_FORWARDED_PROTO,
};

use super::connection;
use super::error::ApiError;
use super::house::House;
use crate::config::Server;

/// How a request came to `house`.
pub(super) fn way(house: &House, request: &HttpRequest) -> Way {
    let peer = request.peer_addr().map(|peer| peer.ip());
    Way::of(&house.settings.server, connection::is_secure(request), peer, request.headers())
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    is_https: bool,
}

impl Way {
    /// How a request came from `peer`: over TLS to here, or by the word of a proxy that is trusted.
    pub(super) fn of(server: &Server, is_secure: bool, peer: Option<IpAddr>, headers: &HeaderMap) -> Self {
        let is_trusted = || {
            // A listener on `::` sees the addresses of IPv4 in a disguise.
            let peer = peer.map(|peer| peer.to_canonical());
            peer.is_some_and(|peer| server.trusted_proxies.iter().any(|net| net.contains(&peer)))
        };
        Self { is_https: is_secure || is_trusted() && came_to_proxies_securely(headers) }
    }

    /// Refuses what came over plain HTTP where that is not enough. Probes have nothing to hide, and come from near by.
    pub(super) fn check(self, server: &Server, path: &str) -> Result<(), ApiError> {
        if self.is_https || !server.require_https || path.starts_with("/health/") {
            return Ok(());
        }
        let message = "This gateway is to be asked over HTTPS only. A token that came with this request has been seen in \
                       clear on its way: replace it.";
        Err(ApiError::forbidden("https_required", message))
    }

    /// Tells a browser that came over HTTPS to do so from now on (RFC 6797 §7.2: others shall not be told).
    pub(super) fn tell(self, server: &Server, headers: &mut HeaderMap) {
        let span = server.hsts.filter(|_| self.is_https).map(|span| format!("max-age={}", span.as_secs()));
        if let Some(Ok(value)) = span.map(HeaderValue::try_from) {
            headers.insert(STRICT_TRANSPORT_SECURITY, value);
        }
    }
}

/// Whether every proxy that says how it was asked was asked over HTTPS, and one does. What a client wrote itself can then
/// only make it less.
fn came_to_proxies_securely(headers: &HeaderMap) -> bool {
    let values = |name: HeaderName| headers.get_all(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let plain = values(X_FORWARDED_PROTO).flat_map(|value| value.split(',')).map(str::trim);
    // RFC 7239 §4: elements with commas between them, pairs with semicolons between them.
    let pairs = values(FORWARDED).flat_map(|value| value.split([',', ';'])).filter_map(|pair| pair.split_once('='));
    let standard = pairs
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("proto"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    let mut said = plain.chain(standard).peekable();
    said.peek().is_some() && said.all(|proto| proto.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
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
            (vec![(short, "https"), (short, "http")], false),
            (vec![(short, "")], false),
            (vec![(standard, "for=192.0.2.1;proto=https;by=203.0.113.1")], true),
            (vec![(standard, "for=\"[2001:db8::1]:4711\"; Proto=\"https\"")], true),
            (vec![(standard, "for=192.0.2.1")], false),
            (vec![(standard, "proto=https, for=192.0.2.1;proto=http")], false),
            (vec![(standard, "for=\"proto=https"), (standard, "proto=http")], false),
            (vec![(short, "https"), (standard, "proto=http")], false),
            (vec![(short, "https"), (standard, "for=192.0.2.1")], true),
        ] {
            assert_eq!(securely(&said), expected, "{said:?}");
        }
    }
}
