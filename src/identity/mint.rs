//! The minter of tokens that this gateway's [`Verifier`](super::Verifier) accepts: for `voxgate token`, the first run and
//! sessions.

use std::time::Duration;

use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};

use super::claims::{CAPS_CLAIM, MAKER_CLAIM};
use super::time::LAST_SECOND;
use super::{Caps, ClaimMapping, KeyMaterial, KeySpec, Rules, Scopes, time};
use crate::domain::Subject;

/// A signer of tokens with one HMAC key.
pub struct Minter {
    key: EncodingKey,
    header: Header,
    issuer: Option<String>,
    audience: Option<String>,
    mapping: ClaimMapping,
}

/// The content of a new token.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The subject.
    pub subject: Subject,
    /// The key of `[plans]` whose limits apply; `None` for the default plan.
    pub plan: Option<String>,
    /// The scopes.
    pub scopes: Scopes,
    /// The time after which the token expires.
    pub ttl: Duration,
    /// The token's id (`jti`).
    pub token_id: Option<String>,
    /// The caps on the total use of the token.
    pub caps: Caps,
    /// The caller that makes the session, for a session token.
    pub maker: Option<Subject>,
}

/// The reason why no token can be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Signing needs the private key, and the gateway does not have it.
    #[error("tokens can be made here only with a secret (HS256, HS384, HS512), and this key is for {0:?}")]
    NotASecret(Algorithm),
    /// The token would expire at once, or hardly ever.
    #[error("a token must be good for at least a second, and end before the year 10000")]
    Ttl,
    /// The library failed to sign.
    #[error("the token could not be signed: {0}")]
    Signing(jsonwebtoken::errors::Error),
}

impl Minter {
    /// Creates a minter whose tokens carry the key's `kid` and the claims that `rules` demand.
    pub fn new(key: &KeySpec, rules: &Rules) -> Result<Self, MintError> {
        let (KeyMaterial::Secret(secret), AlgorithmFamily::Hmac) = (&key.material, key.algorithm.family()) else {
            return Err(MintError::NotASecret(key.algorithm));
        };
        let mut header = Header::new(key.algorithm);
        header.kid.clone_from(&key.kid);
        Ok(Self {
            key: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            header,
            issuer: rules.issuer.clone(),
            audience: rules.audience.first().cloned(),
            mapping: rules.mapping.clone(),
        })
    }

    /// Makes a token that is valid from now on.
    pub fn mint(&self, grant: &Grant) -> Result<SecretString, MintError> {
        self.mint_at(grant, time::now())
    }

    /// Makes a token that is valid from `now` on, in seconds since 1970.
    pub fn mint_at(&self, grant: &Grant, now: u64) -> Result<SecretString, MintError> {
        let exp = now.saturating_add(grant.ttl.as_secs());
        if exp == now || exp > LAST_SECOND {
            return Err(MintError::Ttl);
        }
        let mut claims = Map::new();
        self.mapping.subject.put(&mut claims, json!(grant.subject));
        claims.insert("iat".to_owned(), json!(now));
        claims.insert("exp".to_owned(), json!(exp));
        self.mapping.scope.put(&mut claims, json!(grant.scopes.to_string()));
        if let Some(plan) = &grant.plan {
            self.mapping.plan.put(&mut claims, json!(plan));
        }
        for (name, text) in [("iss", &self.issuer), ("aud", &self.audience), ("jti", &grant.token_id)] {
            if let Some(text) = text {
                claims.insert(name.to_owned(), json!(text));
            }
        }
        if !grant.caps.are_none() {
            claims.insert(CAPS_CLAIM.to_owned(), json!(grant.caps));
        }
        if let Some(maker) = &grant.maker {
            claims.insert(MAKER_CLAIM.to_owned(), json!(maker));
        }
        encode(&self.header, &claims, &self.key).map(SecretString::from).map_err(MintError::Signing)
    }
}
