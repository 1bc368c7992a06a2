//! The keys that verify tokens, each bound to its one algorithm.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, crypto};
use secrecy::{ExposeSecret, SecretString};

use super::token::Token;
use super::{IdentityError, Malformed, Segment};

/// The shortest secret that is fit for HMAC with SHA-256, in bytes (RFC 7518 §3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// The smallest RSA key that may be used with JWTs, in bits (RFC 7518 §3.3, §3.5).
const MIN_RSA_BITS: u32 = 2048;

/// True if `secret` is shorter than [`MIN_SECRET_BYTES`]. The settings decide on the consequence.
pub fn is_short_secret(secret: &SecretString) -> bool {
    secret.expose_secret().len() < MIN_SECRET_BYTES
}

/// A key as the settings give it.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// The key's name in tokens (`kid`).
    pub kid: Option<String>,
    /// The only algorithm of the key.
    pub algorithm: Algorithm,
    /// The key material.
    pub material: KeyMaterial,
}

/// The material of a key.
#[derive(Clone)]
pub enum KeyMaterial {
    /// A secret for HMAC: its holders can also make tokens.
    Secret(SecretString),
    /// A public key or an X.509 certificate for RSA, ECDSA and `EdDSA`, as PEM.
    PublicPem(String),
}

/// Hides the material: the PEM may be a private key by mistake.
impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::PublicPem(_) => "PublicPem(…)",
        })
    }
}

/// The reason why a set of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// There is no key, so no token could be valid.
    #[error("there is no key to check tokens with")]
    NoKeys,
    /// Two keys have the same name, so a token could mean either.
    #[error("{second} has the kid of {first}")]
    SameKid {
        /// The first key of that name.
        first: KeyLabel,
        /// The second key of that name.
        second: KeyLabel,
    },
    /// A key is not fit for its purpose.
    #[error("{key}: {fault}")]
    Key {
        /// The key.
        key: KeyLabel,
        /// The fault.
        fault: KeyFault,
    },
}

/// The name of a key in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLabel {
    /// The key's position in the list, from 0.
    pub position: usize,
    /// The key's name (`kid`).
    pub kid: Option<String>,
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.position.saturating_add(1))?;
        self.kid.as_ref().map_or(Ok(()), |kid| write!(f, " (kid {kid:?})"))
    }
}

/// A fault of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// An empty HMAC secret, which any client can guess.
    #[error("the secret is empty")]
    EmptySecret,
    /// A PEM text as an HMAC secret. If it is a public key, it is no secret.
    #[error("the secret is a PEM text; {0:?} needs a secret of its own, not a key pair")]
    PemAsSecret(Algorithm),
    /// A secret for an algorithm with a key pair.
    #[error("{0:?} is checked with a public key, and this is a secret")]
    SecretForPublic(Algorithm),
    /// A public key for an algorithm with a shared secret.
    #[error("{0:?} is checked with a secret, and this is a public key")]
    PublicForSecret(Algorithm),
    /// A private key, which must stay with the issuer.
    #[error("this is a private key; give the public key that belongs to it, and keep this one with the issuer")]
    PrivateKey,
    /// The text holds no readable key.
    #[error("the PEM text holds no RSA, P-256, P-384 or Ed25519 public key that can be read")]
    UnreadablePem,
    /// The key is of another kind.
    #[error("{algorithm:?} needs {needs}, and this is {found}")]
    WrongType {
        /// The algorithm.
        algorithm: Algorithm,
        /// The kind that the algorithm needs.
        needs: &'static str,
        /// The kind of the key.
        found: &'static str,
    },
    /// An RSA key that is too small to be safe.
    #[error("the RSA key has {bits} bits; {MIN_RSA_BITS} is the least")]
    WeakRsa {
        /// The size of the key in bits.
        bits: u32,
    },
}

/// A key that is ready for use.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    decoding: DecodingKey,
}

impl Key {
    /// Reads a key and checks that it fits its algorithm.
    pub(super) fn load(spec: KeySpec) -> Result<Self, KeyFault> {
        let KeySpec { kid, algorithm, material } = spec;
        let decoding = match (material, algorithm.family()) {
            (KeyMaterial::Secret(secret), AlgorithmFamily::Hmac) => load_secret(secret.expose_secret(), algorithm)?,
            (KeyMaterial::Secret(_), _) => return Err(KeyFault::SecretForPublic(algorithm)),
            (KeyMaterial::PublicPem(_), AlgorithmFamily::Hmac) => return Err(KeyFault::PublicForSecret(algorithm)),
            (KeyMaterial::PublicPem(pem), _) => load_public(&pem, algorithm)?,
        };
        Ok(Self { kid, algorithm, decoding })
    }

    /// Creates a key that an issuer publishes; `decoding` fits `algorithm`.
    pub(super) fn published(kid: Option<String>, algorithm: Algorithm, decoding: DecodingKey) -> Self {
        Self { kid, algorithm, decoding }
    }

    /// True if this key made the token's signature.
    pub(super) fn signed(&self, token: &Token<'_>) -> Result<bool, IdentityError> {
        // The algorithm is that of the key, never that of the token. It fits the key, so the only possible error is the
        // encoding of the signature.
        crypto::verify(token.signature, token.signed.as_bytes(), &self.decoding, self.algorithm)
            .map_err(|_| IdentityError::Malformed(Malformed::NotBase64Url(Segment::Signature)))
    }
}

fn load_secret(secret: &str, algorithm: Algorithm) -> Result<DecodingKey, KeyFault> {
    if secret.is_empty() {
        return Err(KeyFault::EmptySecret);
    }
    if secret.trim_start().starts_with("-----BEGIN ") {
        return Err(KeyFault::PemAsSecret(algorithm));
    }
    Ok(DecodingKey::from_secret(secret.as_bytes()))
}

fn load_public(pem: &str, algorithm: Algorithm) -> Result<DecodingKey, KeyFault> {
    if pem.contains("PRIVATE KEY-----") {
        return Err(KeyFault::PrivateKey);
    }
    let bytes = pem.as_bytes();
    let key = DecodingKey::from_rsa_pem(bytes)
        .or_else(|_| DecodingKey::from_ec_pem(bytes))
        .or_else(|_| DecodingKey::from_ed_pem(bytes))
        .map_err(|_| KeyFault::UnreadablePem)?;
    // The JWK form of the key names its type.
    let parts = Jwk::from_decoding_key(&key, None).map_err(|_| KeyFault::UnreadablePem)?.algorithm;
    let found = describe(&parts)?;
    let needs = needed_by(algorithm);
    if found != needs {
        return Err(KeyFault::WrongType { algorithm, needs, found });
    }
    Ok(key)
}

const RSA: &str = "an RSA key";
const P256: &str = "a P-256 key";
const P384: &str = "a P-384 key";
const ED25519: &str = "an Ed25519 key";

fn needed_by(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => P256,
        Algorithm::ES384 => P384,
        Algorithm::EdDSA => ED25519,
        _ => RSA,
    }
}

/// Returns the kind of the key, if it can verify tokens.
pub(super) fn describe(parts: &AlgorithmParameters) -> Result<&'static str, KeyFault> {
    match parts {
        AlgorithmParameters::RSA(rsa) => match modulus_bits(&rsa.n) {
            bits if bits < MIN_RSA_BITS => Err(KeyFault::WeakRsa { bits }),
            _ => Ok(RSA),
        },
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Ok(P256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => Ok(P384),
        AlgorithmParameters::OctetKeyPair(_) => Ok(ED25519),
        _ => Err(KeyFault::UnreadablePem),
    }
}

/// Returns the bits of a number in big-endian bytes, base64url-encoded.
fn modulus_bits(encoded: &str) -> u32 {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap_or_default();
    let mut significant = bytes.iter().skip_while(|byte| **byte == 0);
    let first = significant.next().map_or(0, |byte| u8::BITS.saturating_sub(byte.leading_zeros()));
    u32::try_from(significant.count()).unwrap_or(u32::MAX).saturating_mul(u8::BITS).saturating_add(first)
}
