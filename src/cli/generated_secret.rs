//! Secrets that sign tokens, made up: for a gateway that nobody gave one, or for its settings.

use secrecy::SecretString;

use crate::identity::{KeyMaterial, KeySpec};

/// Generates a secret that ends with the process.
pub(super) fn generate_secret() -> KeySpec {
    let material = KeyMaterial::Secret(random_secret());
    KeySpec { kid: None, algorithm: jsonwebtoken::Algorithm::HS256, material }
}

/// Generates a secret.
pub(super) fn random_secret() -> SecretString {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()).into()
}
