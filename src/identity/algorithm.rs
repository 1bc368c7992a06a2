//! The names of signature algorithms, as tokens, published keys and the settings write them.

use std::str::FromStr;

use jsonwebtoken::Algorithm;

/// Parses the name of an algorithm (RFC 7518 §3.1, RFC 8037 §3.1). Only exact names match: `none` does not in any
/// spelling, nor does an algorithm that the library lacks.
pub fn parse_algorithm(name: &str) -> Option<Algorithm> {
    match name {
        // RFC 9864 §2.2 gives EdDSA with this curve, the only one here, a separate name and deprecates the old one.
        "Ed25519" => Some(Algorithm::EdDSA),
        _ => Algorithm::from_str(name).ok(),
    }
}
