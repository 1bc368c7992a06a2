//! The names of signature algorithms, as tokens, published keys and the settings write them.

use jsonwebtoken::{Algorithm, AlgorithmFamily};

/// Every name (RFC 7518 §3.1, RFC 8037 §3.1) with its algorithm. RFC 9864 §2.2 gives `EdDSA` with the one curve that is
/// known here a separate name, and deprecates the old one.
const NAMES: &[(&str, Algorithm)] = &[
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
    ("Ed25519", Algorithm::EdDSA),
];

/// Parses the name of an algorithm. Only exact names match: `none` does not in any spelling.
pub fn parse_algorithm(name: &str) -> Option<Algorithm> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// Lists the names of every algorithm.
pub fn algorithm_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Lists the names of the algorithms that sign with a secret.
pub fn hmac_algorithm_names() -> impl Iterator<Item = &'static str> {
    let is_hmac = |(_, algorithm): &&(&str, Algorithm)| algorithm.family() == AlgorithmFamily::Hmac;
    NAMES.iter().filter(is_hmac).map(|(name, _)| *name)
}
