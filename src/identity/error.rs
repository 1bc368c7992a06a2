//! The reasons why a token is refused. The messages are for the client: they name the fault and the remedy, and quote
//! nothing of the token except the times in it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::time::utc;
use super::{MAX_TOKEN_BYTES, Scope};

/// A refusal by this module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The request carries no token.
    #[error("There is no token. Send one in the header `Authorization: Bearer <token>`.")]
    Missing,
    /// The request uses another authentication scheme.
    #[error("The Authorization header is not of the form `Bearer <token>`.")]
    NotBearer,
    /// The token is longer than the gateway reads.
    #[error("The token is {bytes} bytes long; the most is {MAX_TOKEN_BYTES}.")]
    TooLong {
        /// The length of the token.
        bytes: usize,
    },
    /// The text is not a signed token.
    #[error("The token is not a JWT: {0}.")]
    Malformed(Flaw),
    /// The token demands an extension of the format (`crit`, RFC 7515 §4.1.11), and the gateway knows none.
    #[error("The token's header has a `crit` parameter, and none of its extensions is understood here.")]
    CriticalHeader,
    /// The token has no signature, or one of an unknown algorithm.
    #[error("The token is not signed with an algorithm that is known here (`alg` in its header).")]
    UnknownAlgorithm,
    /// The gateway has no key of this algorithm, or the key that the token names is of another one.
    #[error("The token is signed with {0:?}, and there is no key of that algorithm for it.")]
    WrongAlgorithm(Algorithm),
    /// The token names a key that the gateway does not have.
    #[error("The token names a key that is not known here (`kid` in its header).")]
    UnknownKey,
    /// The token may be valid, but the issuer's keys, which are needed to verify it, have never been fetched.
    #[error("The keys of the token's issuer cannot be fetched at the moment. Please try again.")]
    KeysUnavailable {
        /// The time after which a retry makes sense.
        wait: Duration,
    },
    /// None of the gateway's keys made this signature.
    #[error("The token's signature does not fit its content and any key that is known here.")]
    BadSignature,
    /// The token has expired.
    #[error("The token expired at {}; it is now {}.", utc(*.at), utc(*.now))]
    Expired {
        /// The token's `exp`.
        at: u64,
        /// The gateway's time.
        now: u64,
    },
    /// The token is not valid yet.
    #[error("The token is not valid before {} (`nbf`); it is now {}.", utc(*.from), utc(*.now))]
    NotYetValid {
        /// The token's `nbf`.
        from: u64,
        /// The gateway's time.
        now: u64,
    },
    /// The token is revoked.
    #[error("The token has been revoked. Get a new one.")]
    Revoked,
    /// The token's time of issue is in the future.
    #[error("The token was issued at {} (`iat`), which is still to come: it is now {}.", utc(*.at), utc(*.now))]
    IssuedInFuture {
        /// The token's `iat`.
        at: u64,
        /// The gateway's time.
        now: u64,
    },
    /// The token comes from another issuer.
    #[error("The token is from another issuer (`iss`).")]
    WrongIssuer,
    /// The token is meant for another service.
    #[error("The token is for another audience (`aud`).")]
    WrongAudience,
    /// The token lacks a required claim.
    #[error("The token has no `{0}` claim.")]
    MissingClaim(Cow<'static, str>),
    /// A claim of the token has an invalid value.
    #[error("The token's `{claim}` claim must be {rule}.")]
    InvalidClaim {
        /// The claim's name.
        claim: Cow<'static, str>,
        /// The rule for its value.
        rule: &'static str,
    },
    /// The token is valid, but lacks a scope.
    #[error("The token does not allow this: `{needed}` is not among its scopes.")]
    InsufficientScope {
        /// The missing scope.
        needed: Scope,
    },
}

/// The place where a text differs from a signed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The text is not `header.payload.signature`.
    #[error("it must be three parts with a dot between them")]
    NotThreeParts,
    /// A part is not encoded as RFC 7515 §2 demands.
    #[error("its {0} is not base64url without padding")]
    NotBase64Url(Part),
    /// A part is not JSON of the right form.
    #[error("its {0} is not a JSON object in which each name is given once and has the right type")]
    NotAnObject(Part),
}

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The header, which names the algorithm.
    Header,
    /// The claims.
    Payload,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

impl IdentityError {
    /// True if another key might have verified the token.
    pub(super) const fn is_about_keys(&self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongAlgorithm(_) | Self::BadSignature)
    }
}
