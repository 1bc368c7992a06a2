//! The selection of an issuer's published keys, and their algorithms (RFC 7517 §4, RFC 7518 §6).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm::{self, ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use serde::Deserialize;
use serde_json::Value;

use crate::identity::keys::{Key, describe};
use crate::identity::{KeyFault, parse_algorithm};

/// The largest number of keys from an issuer. Real issuers have fewer; the cap bounds the number of keys that verify a
/// token without a `kid`.
const MAX_KEYS: usize = 64;

/// A set of keys, divided into used and unused ones.
pub(in crate::identity) struct Reading {
    /// The keys in use. A key that is bound to no algorithm has one entry for each that it fits.
    pub(in crate::identity) keys: Vec<Key>,
    /// The number of the issuer's keys that are in use.
    pub(in crate::identity) used: usize,
    /// The unused keys, by name, with the reason.
    pub(in crate::identity) skipped: Vec<(Option<String>, JwkFault)>,
}

/// The reason why a published key is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::identity) enum JwkFault {
    #[error("it is not for checking signatures")]
    OtherUse,
    #[error("it is a secret, or holds a private key; who publishes it has given it away")]
    GivenAway,
    #[error("it is bound to an algorithm that is not known here or not for keys of its type")]
    OtherAlgorithm,
    #[error("the RSA key has {0} bits, which is too few")]
    WeakRsa(u32),
    #[error("it is not an RSA, P-256, P-384 or Ed25519 key that can be read")]
    Unreadable,
    #[error("there are more than {MAX_KEYS} keys before it")]
    TooMany,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// Divides a set of keys into used and unused ones; `None` if the document is not a set of keys.
pub(in crate::identity) fn read(document: &[u8]) -> Option<Reading> {
    let set: Set = serde_json::from_slice(document).ok()?;
    let mut reading = Reading { keys: Vec::new(), used: 0, skipped: Vec::new() };
    for jwk in set.keys {
        let name = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
        let bound = if reading.used < MAX_KEYS { bind(jwk) } else { Err(JwkFault::TooMany) };
        match bound {
            Ok((decoding, algorithms)) => {
                reading.used = reading.used.saturating_add(1);
                let key = |algorithm: &Algorithm| Key::published(name.clone(), *algorithm, decoding.clone());
                reading.keys.extend(algorithms.iter().map(key));
            }
            Err(fault) => reading.skipped.push((name, fault)),
        }
    }
    Some(reading)
}

/// Returns the key and its algorithms: the one that it names, or those of its type.
fn bind(jwk: Value) -> Result<(DecodingKey, Vec<Algorithm>), JwkFault> {
    let says = |name: &str| jwk.get(name).and_then(Value::as_str);
    if says("kty") == Some("oct") || jwk.get("d").is_some() || jwk.get("k").is_some() {
        return Err(JwkFault::GivenAway);
    }
    let operations = jwk.get("key_ops");
    let verifies = |list: &Vec<Value>| list.iter().any(|operation| operation == "verify");
    if jwk.get("use").is_some_and(|purpose| purpose != "sig")
        || operations.is_some_and(|list| !list.as_array().is_some_and(verifies))
    {
        return Err(JwkFault::OtherUse);
    }
    let named = jwk.get("alg").map(|name| name.as_str().and_then(parse_algorithm).ok_or(JwkFault::OtherAlgorithm));
    let named = named.transpose()?;
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|_| JwkFault::Unreadable)?;
    let fit = algorithms_of(&jwk.algorithm)?;
    if !has_whole_point(&jwk.algorithm) {
        return Err(JwkFault::Unreadable);
    }
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| JwkFault::Unreadable)?;
    match named {
        None => Ok((decoding, fit.to_vec())),
        Some(named) if fit.contains(&named) => Ok((decoding, vec![named])),
        Some(_) => Err(JwkFault::OtherAlgorithm),
    }
}

/// True if the coordinates are as long as the curve demands (RFC 7518 §6.2.1.2, RFC 8037 §2).
fn has_whole_point(parts: &AlgorithmParameters) -> bool {
    let is_long = |text: &str, bytes| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bits| bits.len() == bytes);
    match parts {
        AlgorithmParameters::EllipticCurve(ec) => {
            let bytes = if ec.curve == EllipticCurve::P256 { 32 } else { 48 };
            is_long(&ec.x, bytes) && is_long(&ec.y, bytes)
        }
        AlgorithmParameters::OctetKeyPair(pair) => is_long(&pair.x, 32),
        _ => true,
    }
}

/// Returns the algorithms for keys of this type. HMAC is never among them: a public key is no secret.
fn algorithms_of(parts: &AlgorithmParameters) -> Result<&'static [Algorithm], JwkFault> {
    // This checks the type and, for RSA, the size.
    match describe(parts) {
        Err(KeyFault::WeakRsa { bits }) => return Err(JwkFault::WeakRsa(bits)),
        Err(_) => return Err(JwkFault::Unreadable),
        Ok(_) => {}
    }
    match parts {
        AlgorithmParameters::RSA(_) => Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Ok(&[ES256]),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => Ok(&[ES384]),
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Ok(&[EdDSA]),
        _ => Err(JwkFault::Unreadable),
    }
}
