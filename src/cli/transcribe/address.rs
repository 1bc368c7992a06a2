//! The address of a gateway, as a person writes it.

use url::Url;

use crate::domain::loopback::is_loopback;

/// The reason why an address is none of a gateway.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// It is no address.
    #[error("--url: {0}; takes an address such as https://voxgate.example.com")]
    Invalid(#[from] url::ParseError),
    /// It has another scheme than HTTP.
    #[error("--url takes an address that begins with http:// or https://")]
    Scheme,
    /// It has parts that a gateway's address does not have.
    #[error("--url takes an address without user, password, query or fragment; the token goes into VOXGATE_TOKEN")]
    Parts,
}

/// The address of a gateway, without the paths of its API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatewayAddress(Url);

impl GatewayAddress {
    /// Reads an address. It may end in `/v1`, as the SDKs' addresses do.
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text.trim())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(AddressError::Scheme);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Parts);
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Returns the address of a path of the API.
    pub(super) fn of(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// Returns true if others on the way can read what is sent.
    pub(super) fn is_readable_on_the_way(&self) -> bool {
        self.0.scheme() == "http" && !self.is_on_this_machine()
    }

    /// Returns true if what is sent does not leave this machine, unless a proxy gets it.
    pub(super) fn is_on_this_machine(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }
}

impl std::fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_the_api_however_they_end() {
        for text in [
            "http://localhost:8080",
            "http://localhost:8080/",
            "http://localhost:8080/v1",
            " http://localhost:8080/v1/ ",
        ] {
            assert_eq!(
                GatewayAddress::parse(text).unwrap().of("/v1/models").as_str(),
                "http://localhost:8080/v1/models"
            );
        }
        let below = GatewayAddress::parse("https://example.com/speech/").unwrap();
        assert_eq!(below.of("/v1/models").as_str(), "https://example.com/speech/v1/models");
        assert_eq!(below.to_string(), "https://example.com/speech");
    }

    #[test]
    fn addresses_with_secrets_or_of_other_schemes_are_refused() {
        assert_eq!(GatewayAddress::parse("ftp://example.com"), Err(AddressError::Scheme));
        assert_eq!(GatewayAddress::parse("localhost:8080"), Err(AddressError::Scheme));
        assert!(matches!(GatewayAddress::parse("example.com"), Err(AddressError::Invalid(_))));
        for text in ["https://me:hunter2@example.com", "https://example.com/?token=x", "https://example.com/#token=x"] {
            let refused = GatewayAddress::parse(text).unwrap_err();
            assert!(refused == AddressError::Parts && !refused.to_string().contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn only_https_and_this_machine_keep_a_token_to_themselves() {
        for (text, readable) in [
            ("http://127.0.0.1:8080", false),
            ("http://localhost", false),
            ("https://example.com", false),
            ("http://example.com", true),
            ("http://10.0.0.1:8080", true),
        ] {
            assert_eq!(GatewayAddress::parse(text).unwrap().is_readable_on_the_way(), readable, "{text}");
        }
    }
}
