//! Tokens, right ones and wrong ones.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// What the gateway checks tokens with.
pub(crate) const SECRET: &str = "0e1f5a3c-the-secret-of-the-tests-that-nobody-may-see";

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of a caller who may do everything for an hour.
pub(crate) fn claims() -> Value {
    json!({ "sub": "alice", "iat": now(), "exp": now() + 3600, "scope": "transcribe translate usage" })
}

/// [`claims`] with some changed; `null` takes one away.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    let object = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    claims
}

pub(crate) fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A token that the gateway accepts.
pub(crate) fn good() -> String {
    with(&json!({}))
}

/// A token signed as it should be, with these claims changed.
pub(crate) fn with(changes: &Value) -> String {
    signed(Algorithm::HS256, SECRET, &claims_with(changes))
}

/// A token that says that it needs no signature.
pub(crate) fn unsigned() -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&claims()))
}

/// A good token's signature under other claims.
pub(crate) fn altered() -> String {
    let good = good();
    let (header, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(claims_with(&json!({ "sub": "mallory" })).to_string());
    format!("{header}.{claims}.{signature}")
}
