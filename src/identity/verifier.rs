//! The verifier: all keys and rules together, made from the settings and shared by every request.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::AlgorithmFamily;

use super::keys::Key;
use super::token::Token;
use super::{Caller, IdentityError, JwksCache, KeyLabel, KeySpec, Rules, VerifierError, claims, time};

/// The verifier of tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
    jwks: Option<Arc<JwksCache>>,
    rules: Rules,
}

impl Verifier {
    /// Creates a verifier of these keys. On failure it returns all faults, not only the first.
    pub fn new(specs: Vec<KeySpec>, rules: Rules) -> Result<Self, Vec<VerifierError>> {
        if specs.is_empty() {
            return Err(vec![VerifierError::NoKeys]);
        }
        Ok(Self { keys: read_keys(specs)?, jwks: None, rules })
    }

    /// Creates a verifier of an issuer's keys, and of these, of which there may be none.
    pub fn with_jwks(specs: Vec<KeySpec>, rules: Rules, jwks: Arc<JwksCache>) -> Result<Self, Vec<VerifierError>> {
        Ok(Self { keys: read_keys(specs)?, jwks: Some(jwks), rules })
    }

    #[cfg(test)]
    pub(super) fn of_keys(keys: Vec<Key>) -> Self {
        Self { keys, jwks: None, rules: Rules::default() }
    }

    /// Returns the issuer's keys, for the next verifier.
    pub fn jwks(&self) -> Option<&Arc<JwksCache>> {
        self.jwks.as_ref()
    }

    /// Identifies the caller by the value of the `Authorization` header. Waits only for an issuer whose keys may have
    /// changed.
    pub async fn identify(&self, authorization: Option<&str>) -> Result<Caller, IdentityError> {
        let text = bearer(authorization)?;
        let known = self.fetched();
        let caller = self.judge(text, known.as_deref(), time::now());
        let (Err(error), Some(jwks)) = (&caller, &self.jwks) else { return caller };
        if !error.is_about_keys() || !self.may_be_new(&Token::parse(text)?, known.as_deref()) {
            return caller;
        }
        jwks.refresh().await;
        let known = self.fetched();
        match self.judge(text, known.as_deref(), time::now()) {
            Err(error) if error.is_about_keys() && known.is_none() => {
                Err(IdentityError::KeysUnavailable { wait: jwks.next_try() })
            }
            caller => caller,
        }
    }

    /// Identifies the caller by the value of the `Authorization` header and the keys in memory.
    pub fn from_header(&self, authorization: Option<&str>) -> Result<Caller, IdentityError> {
        self.verify(bearer(authorization)?)
    }

    /// Returns the caller of `token`, judged at the present time.
    pub fn verify(&self, token: &str) -> Result<Caller, IdentityError> {
        self.verify_at(token, time::now())
    }

    /// Returns the caller that `token` stands for at `now`, in seconds since 1970.
    pub fn verify_at(&self, token: &str, now: u64) -> Result<Caller, IdentityError> {
        self.judge(token, self.fetched().as_deref(), now)
    }

    /// Returns the issuer's keys that are in memory.
    fn fetched(&self) -> Option<Arc<[Key]>> {
        self.jwks.as_ref().and_then(|jwks| jwks.keys())
    }

    fn judge(&self, token: &str, published: Option<&[Key]>, now: u64) -> Result<Caller, IdentityError> {
        let token = Token::parse(token)?;
        self.check_signature(&token, published.unwrap_or_default())?;
        claims::judge(&token.payload(&claims::wanted(&self.rules))?, &self.rules, now)
    }

    fn check_signature(&self, token: &Token<'_>, published: &[Key]) -> Result<(), IdentityError> {
        let candidates = self.candidates(token.kid.as_deref(), published);
        let is_named = |key: &&Key| token.kid.is_none() || key.kid == token.kid;
        // The header's `alg` only selects among keys of exactly that algorithm. So a public key, which any client may
        // have, is never used as the secret of an HMAC (RFC 8725 §2.1, §3.1).
        let mut outcome = Err(if candidates.iter().any(is_named) {
            IdentityError::WrongAlgorithm(token.algorithm)
        } else {
            // Keys without a name, if any, are for other algorithms. They prove nothing about the key that the token
            // names.
            IdentityError::UnknownKey
        });
        for key in candidates.into_iter().filter(|key| key.algorithm == token.algorithm) {
            if key.signed(token)? {
                return Ok(());
            }
            outcome = Err(IdentityError::BadSignature);
        }
        outcome
    }

    /// Selects the keys that may have signed a token: the key that it names; the keys without a name, if it names an
    /// unknown one; and every key if it names none.
    fn candidates<'a>(&'a self, kid: Option<&str>, published: &'a [Key]) -> Vec<&'a Key> {
        let all = || self.keys.iter().chain(published);
        let named = |name: Option<&str>| all().filter(|key| key.kid.as_deref() == name).collect::<Vec<_>>();
        match kid {
            None => all().collect(),
            Some(_) => match named(kid) {
                none if none.is_empty() => named(None),
                one => one,
            },
        }
    }

    /// True if the issuer may have a key for `token` that is not `known`: one whose name is not known for this algorithm,
    /// or any key if none was fetched yet. The issuer has none for HMAC, whatever the name.
    fn may_be_new(&self, token: &Token<'_>, known: Option<&[Key]>) -> bool {
        let is_it = |key: &Key, kid: &String| key.kid.as_ref() == Some(kid) && key.algorithm == token.algorithm;
        let named = |kid: &String, known: &[Key]| self.keys.iter().chain(known).any(|key| is_it(key, kid));
        let unknown = |known| token.kid.as_ref().is_some_and(|kid| !named(kid, known));
        token.algorithm.family() != AlgorithmFamily::Hmac && known.is_none_or(unknown)
    }
}

/// Checks keys from the settings. On failure it returns all faults, not only the first.
pub fn check_keys(specs: Vec<KeySpec>) -> Result<(), Vec<VerifierError>> {
    read_keys(specs).map(drop)
}

fn read_keys(specs: Vec<KeySpec>) -> Result<Vec<Key>, Vec<VerifierError>> {
    let mut keys = Vec::with_capacity(specs.len());
    let mut errors = Vec::new();
    let mut named = HashMap::new();
    for (position, spec) in specs.into_iter().enumerate() {
        let label = KeyLabel { position, kid: spec.kid.clone() };
        if let Some(kid) = &spec.kid {
            if let Some(first) = named.get(kid) {
                errors.push(VerifierError::SameKid { first: KeyLabel::clone(first), second: label.clone() });
            } else {
                named.insert(kid.clone(), label.clone());
            }
        }
        match Key::load(spec) {
            Ok(key) => keys.push(key),
            Err(fault) => errors.push(VerifierError::Key { key: label, fault }),
        }
    }
    if errors.is_empty() { Ok(keys) } else { Err(errors) }
}

/// Reads the token in an `Authorization` header: `Bearer`, in any case (RFC 9110 §11.1), then spaces, then the token.
fn bearer(authorization: Option<&str>) -> Result<&str, IdentityError> {
    let header = authorization.ok_or(IdentityError::Missing)?.trim_matches(' ');
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(IdentityError::NotBearer);
    }
    match token.trim_start_matches(' ') {
        "" => Err(IdentityError::Missing),
        token => Ok(token),
    }
}
