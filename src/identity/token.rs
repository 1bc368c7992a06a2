//! The parts of a token (JWS compact serialisation, RFC 7515 §7.1), before it is verified.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::str;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};
use serde_json::Value;

use super::payload::SelectedClaims;
use super::{IdentityError, MAX_TOKEN_BYTES, Malformed, Segment, parse_algorithm};

/// The parts of a token whose header is valid. The payload is still encoded.
pub(super) struct Token<'a> {
    /// The algorithm that the header names.
    pub(super) algorithm: Algorithm,
    /// The key that the header names (`kid`).
    pub(super) kid: Option<String>,
    /// The signed text: header and payload as they arrived.
    pub(super) signed: &'a str,
    /// The signature, still encoded.
    pub(super) signature: &'a str,
    payload: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

impl<'a> Token<'a> {
    /// Splits `text` into its parts and reads the header.
    pub(super) fn parse(text: &'a str) -> Result<Self, IdentityError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::TooLong { bytes: text.len() });
        }
        let not_three = || IdentityError::Malformed(Malformed::NotThreeParts);
        let (signed, signature) = text.rsplit_once('.').ok_or_else(not_three)?;
        let two = signed.split_once('.').filter(|(_, payload)| !payload.contains('.'));
        let (header, payload) = two.ok_or_else(not_three)?;
        let Header { alg, kid, crit } = read_object(header, Segment::Header, PhantomData)?;
        if crit {
            return Err(IdentityError::CriticalHeader);
        }
        let algorithm = parse_algorithm(&alg).ok_or(IdentityError::UnknownAlgorithm)?;
        Ok(Self { algorithm, kid, signed, signature, payload })
    }

    /// Decodes the payload and reads the claims of these names. Call it only after the signature has been verified.
    pub(super) fn payload(&self, wanted: &[&str]) -> Result<BTreeMap<String, Value>, IdentityError> {
        read_object(self.payload, Segment::Payload, SelectedClaims(wanted))
    }
}

fn read_object<T>(
    encoded: &str,
    part: Segment,
    reader: impl for<'de> DeserializeSeed<'de, Value = T>,
) -> Result<T, IdentityError> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| IdentityError::Malformed(Malformed::NotBase64Url(part)))?;
    let json = str::from_utf8(&bytes).unwrap_or_default();
    // serde would also fill a struct from an array, field by field.
    let object = json.trim_ascii_start().starts_with('{').then(|| read_whole(json, reader).ok()).flatten();
    object.ok_or(IdentityError::Malformed(Malformed::NotAnObject(part)))
}

fn read_whole<'de, S: DeserializeSeed<'de>>(json: &'de str, reader: S) -> serde_json::Result<S::Value> {
    let mut json = serde_json::Deserializer::from_str(json);
    let value = reader.deserialize(&mut json)?;
    json.end().map(|()| value)
}

/// Records the presence of a field, whatever its value, `null` included.
fn is_present<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(field).map(|_| true)
}
