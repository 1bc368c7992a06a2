//! The identity of callers: turns a bearer token into a [`Caller`], or into an [`IdentityError`] that names the fault.
//!
//! The path of a token: `token` splits the text; `keys` and, for those that an issuer publishes, `jwks` check that one of
//! the gateway's keys signed it; `claims` checks the claims (`payload`, `mapping`) and makes the [`Caller`]. Nothing of
//! the payload is read before the signature has been verified. `mint` goes the other way, for `voxgate token`;
//! `revocation` and `known_revocations` end tokens before they expire.

mod algorithm;
mod caller;
mod claims;
mod error;
mod jwks;
mod keys;
pub mod known_revocations;
mod mapping;
mod mint;
mod payload;
pub mod revocation;
mod scope;
mod time;
mod token;
mod verifier;

pub use algorithm::{algorithm_names, hmac_algorithm_names, parse_algorithm};
pub use caller::{Caller, Caps};
pub use claims::{DEFAULT_PLAN, Rules};
pub use error::{Flaw, IdentityError, Part};
pub use jwks::{FetchError, IssuerUrl, IssuerUrlError, JwksCache, JwksSettings, KeySource, try_out};
pub use keys::{KeyFault, KeyLabel, KeyMaterial, KeySpec, MIN_SECRET_BYTES, VerifierError, is_short_secret};
pub use mapping::{ClaimMapping, ClaimPath, ClaimPathError};
pub use mint::{Grant, MintError, Minter};
pub use scope::{Scope, Scopes, UnknownScope};
pub use token::MAX_TOKEN_BYTES;
pub use verifier::{Verifier, check_keys};

#[cfg(test)]
mod tests;
