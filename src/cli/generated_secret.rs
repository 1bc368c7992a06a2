//! The secret of a gateway that nobody gave one.

use secrecy::SecretString;

use crate::identity::{KeyMaterial, KeySpec};

/// Generates a secret that ends with the process.
pub(super) fn generate_secret() -> KeySpec {
    let material = KeyMaterial::Secret(random_secret());
    KeySpec { kid: None, algorithm: jsonwebtoken::Algorithm::HS256, material }
}

/// Generates the text of a secret that signs tokens.
pub(super) fn random_secret() -> SecretString {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()).into()
}
