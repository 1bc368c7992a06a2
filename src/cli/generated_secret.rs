//! The secret of a gateway that nobody gave one.

use secrecy::SecretString;

use crate::identity::{KeyMaterial, KeySpec};

/// Generates a secret that ends with the process.
pub(super) fn generate_secret() -> KeySpec {
    let random = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let material = KeyMaterial::Secret(SecretString::from(random));
    KeySpec { kid: None, algorithm: jsonwebtoken::Algorithm::HS256, material }
}
