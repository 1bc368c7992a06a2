//! The request line, and the host that it and the `Host` header name.

use actix_web::http::Uri;
use actix_web::http::uri::Authority;

use super::fault::{HeadFault, MAX_TARGET_BYTES};
use super::fields::Occurrence;
use super::grammar::is_token;

/// The request line.
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) is_http10: bool,
    /// The host in an absolute-form target.
    authority: Option<Authority>,
    is_plain: bool,
}

impl<'a> RequestLine<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, HeadFault> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HeadFault::RequestLine);
        };
        if !is_token(method) {
            return Err(HeadFault::RequestLine);
        }
        let is_http10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(HeadFault::Version),
        };
        if method == b"CONNECT" {
            return Err(HeadFault::Connect);
        }
        if target.len() > MAX_TARGET_BYTES {
            return Err(HeadFault::TargetTooLong);
        }
        let uri = Uri::try_from(target).map_err(|_| HeadFault::Target)?;
        let authority = match target.first() {
            Some(b'/') => None,
            Some(b'*') if target.len() == 1 && method == b"OPTIONS" => None,
            _ => Some(absolute_authority(&uri).ok_or(HeadFault::Target)?.clone()),
        };
        Ok(Self { method, is_http10, authority, is_plain: uri.scheme_str() == Some("http") })
    }

    /// Checks that the `Host` header names one host, and the same as the target.
    pub(super) fn check_host(&self, host: Occurrence<'_>) -> Result<(), HeadFault> {
        let host = match host {
            Occurrence::Never if self.is_http10 => return Ok(()),
            Occurrence::Once(host) => host,
            _ => return Err(HeadFault::Host),
        };
        // The value is empty if the target names no host (RFC 9112 §3.2).
        let named = if host.is_empty() { None } else { Some(host_of(host).ok_or(HeadFault::Host)?) };
        match (&self.authority, named) {
            (Some(target), Some(host)) if self.names_same_server(target, &host) => Ok(()),
            (Some(_), _) => Err(HeadFault::OtherHost),
            (None, _) => Ok(()),
        }
    }

    fn names_same_server(&self, target: &Authority, host: &Authority) -> bool {
        let usual = if self.is_plain { 80 } else { 443 };
        let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
        target.host().eq_ignore_ascii_case(host.host()) && port(target) == port(host)
    }
}

fn absolute_authority(uri: &Uri) -> Option<&Authority> {
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(())?;
    uri.authority().filter(|authority| is_host(authority))
}

/// Parses the host in a `Host` header; `None` if it is not a valid host.
pub(in crate::transport) fn host_of(value: &[u8]) -> Option<Authority> {
    Authority::try_from(value).ok().filter(is_host)
}

/// Returns true unless user information precedes the host (RFC 9110 §4.2.4).
fn is_host(authority: &Authority) -> bool {
    let (text, host) = (authority.as_str(), authority.host());
    let port_is_right = matches!(text.strip_prefix(host), Some("" | ":")) || authority.port_u16().is_some();
    text.is_ascii() && !text.contains('@') && !host.is_empty() && port_is_right
}
