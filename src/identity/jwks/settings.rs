//! The source of an issuer's keys.

use std::fmt;
use std::time::Duration;

use super::IssuerUrl;

/// The source of an issuer's keys, and the times between fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSettings {
    /// The source.
    pub source: KeySource,
    /// The longest time between two fetches.
    pub refresh: Duration,
    /// The shortest time between two fetches, whatever causes them.
    pub cooldown: Duration,
    /// The longest time of a fetch, and of a request that waits for one.
    pub timeout: Duration,
}

/// The source of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The address of the key set.
    Jwks(IssuerUrl),
    /// The configuration of the issuer of this name, which holds the address of the keys (`OpenID` Connect Discovery
    /// 1.0).
    Discovery {
        /// The issuer's name, exactly as in its tokens.
        issuer: String,
        /// The issuer's name as an address.
        address: IssuerUrl,
    },
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

impl KeySource {
    pub(super) const fn address(&self) -> &IssuerUrl {
        match self {
            Self::Jwks(address) | Self::Discovery { address, .. } => address,
        }
    }
}
