//! The judge: all keys and rules together, made once at start and shared by every request.

use std::collections::HashMap;

use super::keys::Key;
use super::token::Token;
use super::{Caller, IdentityError, KeyLabel, KeySpec, Rules, VerifierError, claims, time};

/// Tells good tokens from bad ones.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
    rules: Rules,
}

impl Verifier {
    /// Reads the keys. The error is everything that is wrong with them, not only the first thing.
    pub fn new(specs: Vec<KeySpec>, rules: Rules) -> Result<Self, Vec<VerifierError>> {
        if specs.is_empty() {
            return Err(vec![VerifierError::NoKeys]);
        }
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
        if errors.is_empty() { Ok(Self { keys, rules }) } else { Err(errors) }
    }

    /// Who is calling, by the value of the `Authorization` header.
    pub fn from_header(&self, authorization: Option<&str>) -> Result<Caller, IdentityError> {
        self.verify(bearer(authorization)?)
    }

    /// Whom `token` stands for, now.
    pub fn verify(&self, token: &str) -> Result<Caller, IdentityError> {
        self.verify_at(token, time::now())
    }

    /// Whom `token` stands for at `now`, in seconds since 1970.
    pub fn verify_at(&self, token: &str, now: u64) -> Result<Caller, IdentityError> {
        let token = Token::parse(token)?;
        self.check_signature(&token)?;
        claims::judge(&token.payload(&claims::wanted(&self.rules))?, &self.rules, now)
    }

    fn check_signature(&self, token: &Token<'_>) -> Result<(), IdentityError> {
        let candidates = self.candidates(token.kid.as_deref());
        if candidates.is_empty() {
            return Err(IdentityError::UnknownKey);
        }
        // The header's `alg` only chooses among keys that are for exactly that algorithm. So a public key, which anybody
        // may have, is never taken for the secret of an HMAC (RFC 8725 §2.1, §3.1).
        let mut outcome = Err(IdentityError::WrongAlgorithm(token.algorithm));
        for key in candidates.into_iter().filter(|key| key.algorithm == token.algorithm) {
            if key.signed(token)? {
                return Ok(());
            }
            outcome = Err(IdentityError::BadSignature);
        }
        outcome
    }

    /// The keys that may have signed a token: the one it names; else, if it names one that is not known, those that
    /// have no name; and every key if it names none.
    fn candidates(&self, kid: Option<&str>) -> Vec<&Key> {
        let named = |name: Option<&str>| self.keys.iter().filter(|key| key.kid.as_deref() == name).collect::<Vec<_>>();
        match kid {
            None => self.keys.iter().collect(),
            Some(_) => match named(kid) {
                none if none.is_empty() => named(None),
                one => one,
            },
        }
    }
}

/// The token of an `Authorization` header: `Bearer`, in any case (RFC 9110 §11.1), then spaces, then the token.
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
