//! The names of signature algorithms, as tokens, published keys and the settings write them.

use std::str::FromStr;

use jsonwebtoken::Algorithm;

/// The algorithm of this name (RFC 7518 §3.1, RFC 8037 §3.1). Exact names only: neither `none` in any spelling nor an
/// algorithm that the library does not do is one.
pub fn parse_algorithm(name: &str) -> Option<Algorithm> {
    match name {
        // RFC 9864 §2.2 gives EdDSA with this curve, the only one here, a name of its own and takes the old one out of use.
        "Ed25519" => Some(Algorithm::EdDSA),
        _ => Algorithm::from_str(name).ok(),
    }
}
