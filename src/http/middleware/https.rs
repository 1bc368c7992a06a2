//! The check that a request came over HTTPS, and HSTS.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::Version;
use actix_web::http::header::{HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};

use crate::config::Server;
use crate::domain::Scheme;
use crate::http::error::{ApiError, ErrorCode};
use crate::http::headers::forwarded::came_to_proxies_securely;

/// The scheme of a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct RequestScheme {
    is_https: bool,
}

impl RequestScheme {
    /// Returns the scheme of a request.
    pub(in crate::http) fn of_request(server: &Server, request: &HttpRequest) -> Self {
        let peer = request.peer_addr().map(|peer| peer.ip());
        // HTTP/2 always uses TLS here.
        let is_http2 = request.version() == Version::HTTP_2;
        let scheme = request.conn_data::<Scheme>().copied().unwrap_or(Scheme::Http);
        let scheme = if is_http2 { Scheme::Https } else { scheme };
        Self::new(server, scheme, peer, request.headers())
    }

    /// Returns the scheme of a request from `peer`: HTTPS if the gateway itself speaks TLS on this connection, or if a
    /// trusted proxy says so.
    pub(in crate::http) fn new(server: &Server, scheme: Scheme, peer: Option<IpAddr>, headers: &HeaderMap) -> Self {
        let is_trusted = || {
            // A listener on `::` sees IPv4 addresses as IPv4-mapped IPv6 addresses.
            let peer = peer.map(|peer| peer.to_canonical());
            peer.is_some_and(|peer| server.trusted_proxies.iter().any(|net| net.contains(&peer)))
        };
        Self { is_https: scheme == Scheme::Https || is_trusted() && came_to_proxies_securely(headers) }
    }

    /// Refuses plain HTTP if `require_https` is set. Health probes are exempt: they carry no secret and come from the
    /// local network.
    pub(in crate::http) fn check(self, server: &Server, path: &str) -> Result<(), ApiError> {
        if self.is_https || !server.require_https || path.starts_with("/health/") {
            return Ok(());
        }
        let message = "This gateway is to be asked over HTTPS only. A token that came with this request has been seen in \
                       clear on its way: replace it.";
        Err(ApiError::new(ErrorCode::HttpsRequired, message))
    }

    /// Sets `Strict-Transport-Security`, over HTTPS only (RFC 6797 §7.2: not to be sent over plain HTTP).
    pub(in crate::http) fn write_hsts(self, server: &Server, headers: &mut HeaderMap) {
        let span = server.hsts.filter(|_| self.is_https).map(|span| format!("max-age={}", span.as_secs()));
        if let Some(Ok(value)) = span.map(HeaderValue::try_from) {
            headers.insert(STRICT_TRANSPORT_SECURITY, value);
        }
    }
}
