//! The allowed addresses of an issuer: an attacker who could change its answers could make any token.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::domain::loopback::is_loopback;

/// An address with HTTPS, or with plain HTTP on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerUrl(Url);

/// A text that is not such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes an address that starts with https:// (http:// only on this machine), without a password")]
pub struct IssuerUrlError;

impl IssuerUrl {
    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }

    /// True if the address uses plain HTTP, which must stay on this machine.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Returns the address of the document that names the issuer's keys (`OpenID` Connect Discovery 1.0 §4).
    pub(super) fn configuration(&self) -> Url {
        let mut url = self.0.clone();
        let path = format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

impl FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| IssuerUrlError)?;
        let here = is_loopback(&url.host().ok_or(IssuerUrlError)?);
        let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (safe && plain).then_some(Self(url)).ok_or(IssuerUrlError)
    }
}

/// Omits the query, which may hold a secret key.
impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_asked_where_nobody_can_listen_in() {
        for good in [
            "https://login.example.com/keys",
            "https://login.example.com:8443/a?b=c",
            "http://127.0.0.1:8080/keys",
            "http://127.9.9.9/keys",
            "http://[::1]:1/keys",
            "http://localhost:8080/realms/a",
        ] {
            assert!(good.parse::<IssuerUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "login.example.com",
            "http://login.example.com/keys",
            "http://localhost.example.com/keys",
            "http://10.0.0.1/keys",
            "http://0.0.0.0/keys",
            "http://127.0.0.1.example.com/keys",
            "file:///etc/keys",
            "ftp://127.0.0.1/keys",
            "https://user:password@login.example.com/keys",
            "https://login.example.com/keys#a",
        ] {
            assert_eq!(bad.parse::<IssuerUrl>(), Err(IssuerUrlError), "{bad}");
        }
    }

    #[test]
    fn an_issuer_tells_of_itself_below_its_own_path() {
        for (issuer, configuration) in [
            ("https://a.example", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/realms/b", "https://a.example/realms/b/.well-known/openid-configuration"),
            ("https://a.example/auth/v1/", "https://a.example/auth/v1/.well-known/openid-configuration"),
        ] {
            assert_eq!(issuer.parse::<IssuerUrl>().unwrap().configuration().as_str(), configuration);
        }
    }
}
