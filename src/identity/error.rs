//! Why a caller was not believed. The messages are for the client: they say what is wrong and what would be right, and
//! repeat nothing of the token but the times in it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::time::utc;
use super::{MAX_TOKEN_BYTES, Scope};

/// A refusal by this room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The request carries no token.
    #[error("There is no token. Send one in the header `Authorization: Bearer <token>`.")]
    Missing,
    /// The request tries to authenticate in another way.
    #[error("The Authorization header is not of the form `Bearer <token>`.")]
    NotBearer,
    /// The token is longer than any that is looked at.
    #[error("The token is {bytes} bytes long; the most is {MAX_TOKEN_BYTES}.")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The text is not a signed token.
    #[error("The token is not a JWT: {0}.")]
    Malformed(Flaw),
    /// The token demands an extension of the format (`crit`, RFC 7515 §4.1.11), and the gateway knows none.
    #[error("The token's header has a `crit` parameter, and none of its extensions is understood here.")]
    CriticalHeader,
    /// The token is signed in no way that the gateway knows, or not at all.
    #[error("The token is not signed with an algorithm that is known here (`alg` in its header).")]
    UnknownAlgorithm,
    /// The gateway has no key of this algorithm, or the key that the token names is of another one.
    #[error("The token is signed with {0:?}, and there is no key of that algorithm for it.")]
    WrongAlgorithm(Algorithm),
    /// The token names a key that the gateway does not have.
    #[error("The token names a key that is not known here (`kid` in its header).")]
    UnknownKey,
    /// The token may be good: it takes the issuer's keys to tell, and they have never been fetched.
    #[error("The keys of the token's issuer cannot be fetched at the moment. Please try again.")]
    KeysUnavailable {
        /// When that may have changed.
        wait: Duration,
    },
    /// None of the gateway's keys made this signature.
    #[error("The token's signature does not fit its content and any key that is known here.")]
    BadSignature,
    /// The token is over.
    #[error("The token expired at {}; it is now {}.", utc(*.at), utc(*.now))]
    Expired {
        /// Its `exp`.
        at: u64,
        /// The gateway's time.
        now: u64,
    },
    /// The token is not valid before a time that is still to come.
    #[error("The token is not valid before {} (`nbf`); it is now {}.", utc(*.from), utc(*.now))]
    NotYetValid {
        /// Its `nbf`.
        from: u64,
        /// The gateway's time.
        now: u64,
    },
    /// The token was taken back.
    #[error("The token has been revoked. Get a new one.")]
    Revoked,
    /// The token says that it was issued at a time that is still to come.
    #[error("The token was issued at {} (`iat`), which is still to come: it is now {}.", utc(*.at), utc(*.now))]
    IssuedInFuture {
        /// Its `iat`.
        at: u64,
        /// The gateway's time.
        now: u64,
    },
    /// The token is somebody else's word.
    #[error("The token is from another issuer (`iss`).")]
    WrongIssuer,
    /// The token is meant for another service.
    #[error("The token is for another audience (`aud`).")]
    WrongAudience,
    /// The token leaves out what it must say.
    #[error("The token has no `{0}` claim.")]
    MissingClaim(Cow<'static, str>),
    /// The token says it in a way that means nothing.
    #[error("The token's `{claim}` claim must be {rule}.")]
    InvalidClaim {
        /// The claim's name.
        claim: Cow<'static, str>,
        /// What it must be.
        rule: &'static str,
    },
    /// The token is good, but not for this.
    #[error("The token does not allow this: `{needed}` is not among its scopes.")]
    InsufficientScope {
        /// What it would have to name.
        needed: Scope,
    },
}

/// Where a text stops being a signed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not `header.payload.signature`.
    #[error("it must be three parts with a dot between them")]
    NotThreeParts,
    /// A part is not encoded as RFC 7515 §2 has it.
    #[error("its {0} is not base64url without padding")]
    NotBase64Url(Part),
    /// A part is not JSON of the right form.
    #[error("its {0} is not a JSON object in which each name is given once and has the right type")]
    NotAnObject(Part),
}

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// How it is signed.
    Header,
    /// The claims.
    Payload,
    /// The signature itself.
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

/// What a client has to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Send another token, or one at all.
    InvalidToken,
    /// Get a new one of the same kind.
    TokenExpired,
    /// Ask for one that allows more.
    InsufficientScope,
    /// Come back with the same token.
    IssuerUnavailable,
}

impl Code {
    /// The code as it stands in an error's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::TokenExpired => "token_expired",
            Self::InsufficientScope => "insufficient_scope",
            Self::IssuerUnavailable => "issuer_unavailable",
        }
    }
}

impl IdentityError {
    /// Which kind of refusal it is.
    pub const fn code(&self) -> Code {
        match self {
            Self::Expired { .. } => Code::TokenExpired,
            Self::InsufficientScope { .. } => Code::InsufficientScope,
            Self::KeysUnavailable { .. } => Code::IssuerUnavailable,
            _ => Code::InvalidToken,
        }
    }

    /// Whether another key might have made the token good.
    pub(super) const fn is_about_keys(&self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongAlgorithm(_) | Self::BadSignature)
    }
}
