//! Who is calling? A bearer token goes in, a [`Caller`] comes out, or an [`IdentityError`] that says what is wrong.
//!
//! The way of a token: `token` takes the text apart, `keys` and, for those that an issuer publishes, `jwks`
//! say whether one of the gateway's keys signed it, `claims` judges what it says (`payload`, `mapping`) and makes the [`Caller`]. Nothing of the payload is read
//! before the signature holds. `mint` goes the other way, for `voxgate token`.

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

pub use algorithm::parse_algorithm;
pub use caller::{Caller, Caps};
pub use claims::{DEFAULT_PLAN, Rules};
pub use error::{Code, Flaw, IdentityError, Part};
pub use jwks::{FetchError, IssuerUrl, IssuerUrlError, JwksCache, JwksSettings, KeySource, try_out};
pub use keys::{KeyFault, KeyLabel, KeyMaterial, KeySpec, MIN_SECRET_BYTES, VerifierError, is_short_secret};
pub use mapping::{ClaimMapping, ClaimPath, ClaimPathError};
pub use mint::{Grant, MintError, Minter};
pub use scope::{Scope, Scopes, UnknownScope};
pub use token::MAX_TOKEN_BYTES;
pub use verifier::Verifier;

#[cfg(test)]
mod tests;
