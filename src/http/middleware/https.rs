//! Whether a request came over HTTPS, and what follows from that.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};

use crate::config::Server;
use crate::http::connection;
use crate::http::error::ApiError;
use crate::http::headers::forwarded::came_to_proxies_securely;
use crate::http::state::AppState;

/// How a request came to `house`.
pub(in crate::http) fn way(house: &AppState, request: &HttpRequest) -> RequestScheme {
    let peer = request.peer_addr().map(|peer| peer.ip());
    RequestScheme::of(&house.settings.server, connection::is_secure(request), peer, request.headers())
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct RequestScheme {
    is_https: bool,
}

impl RequestScheme {
    /// How a request came from `peer`: over TLS to here, or by the word of a proxy that is trusted.
    pub(in crate::http) fn of(server: &Server, is_secure: bool, peer: Option<IpAddr>, headers: &HeaderMap) -> Self {
        let is_trusted = || {
            // A listener on `::` sees the addresses of IPv4 in a disguise.
            let peer = peer.map(|peer| peer.to_canonical());
            peer.is_some_and(|peer| server.trusted_proxies.iter().any(|net| net.contains(&peer)))
        };
        Self { is_https: is_secure || is_trusted() && came_to_proxies_securely(headers) }
    }

    /// Refuses what came over plain HTTP where that is not enough. Probes have nothing to hide, and come from near by.
    pub(in crate::http) fn check(self, server: &Server, path: &str) -> Result<(), ApiError> {
        if self.is_https || !server.require_https || path.starts_with("/health/") {
            return Ok(());
        }
        let message = "This gateway is to be asked over HTTPS only. A token that came with this request has been seen in \
                       clear on its way: replace it.";
        Err(ApiError::forbidden("https_required", message))
    }

    /// Tells a browser that came over HTTPS to do so from now on (RFC 6797 §7.2: others shall not be told).
    pub(in crate::http) fn tell(self, server: &Server, headers: &mut HeaderMap) {
        let span = server.hsts.filter(|_| self.is_https).map(|span| format!("max-age={}", span.as_secs()));
        if let Some(Ok(value)) = span.map(HeaderValue::try_from) {
            headers.insert(STRICT_TRANSPORT_SECURITY, value);
        }
    }
}
