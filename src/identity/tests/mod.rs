//! The promises of this module, tested with tokens made here and a fixed clock.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, crypto};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;

mod claims;
mod form;
mod header;
mod minter;
mod published;
mod setup;
mod signature;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "a secret of thirty-two bytes or more";
const OTHER_SECRET: &str = "another secret of thirty-two bytes or more";

/// A PEM file of `tests/keys/`.
macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../../tests/keys/", $name, ".pem"))
    };
}
use pem;

const RSA_PRIVATE: &str = pem!("rsa-2048.test-private");
const RSA_PUBLIC: &str = pem!("rsa-2048.test-public");

fn secret(algorithm: Algorithm, secret: &str) -> KeySpec {
    KeySpec { kid: None, algorithm, material: KeyMaterial::Secret(SecretString::from(secret)) }
}

fn public(algorithm: Algorithm, pem: &str) -> KeySpec {
    KeySpec { kid: None, algorithm, material: KeyMaterial::PublicPem(pem.to_owned()) }
}

impl KeySpec {
    fn named(self, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), ..self }
    }
}

fn verifier(keys: impl Into<Vec<KeySpec>>) -> Verifier {
    Verifier::new(keys.into(), Rules::default()).expect("the keys are good")
}

/// The gateway of most tests: one secret, no further rules.
fn gateway() -> Verifier {
    verifier([secret(Algorithm::HS256, SECRET)])
}

/// The fewest claims that a token must have.
fn claims() -> Value {
    json!({"sub": "alice", "exp": NOW + 60})
}

/// The fewest claims that a token must have, and `more`.
fn claims_with(more: &Value) -> Value {
    let mut claims = claims();
    let more = more.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(more);
    claims
}

fn private_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm.family() {
        AlgorithmFamily::Hmac => EncodingKey::from_secret(SECRET.as_bytes()),
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap(),
        AlgorithmFamily::Ec if algorithm == Algorithm::ES256 => {
            EncodingKey::from_ec_pem(pem!("ec-p256.test-private").as_bytes()).unwrap()
        }
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem!("ec-p384.test-private").as_bytes()).unwrap(),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem!("ed25519.test-private").as_bytes()).unwrap(),
    }
}

/// Signs any two texts, valid or not, as header and payload.
fn sign(header: &str, payload: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("the key fits");
    format!("{message}.{signature}")
}

/// A token with this header, signed with the gateway's secret.
fn with_header(header: &Value) -> String {
    sign(&header.to_string(), &claims().to_string(), &private_key(Algorithm::HS256), Algorithm::HS256)
}

/// A token with this payload, signed with the gateway's secret.
fn with_payload(payload: &str) -> String {
    sign(r#"{"alg":"HS256","typ":"JWT"}"#, payload, &private_key(Algorithm::HS256), Algorithm::HS256)
}
