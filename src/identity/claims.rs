//! The claims of a token, checked by the rules of this gateway (RFC 7519 §4.1).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::time::LAST_SECOND;
use super::{Caller, Caps, ClaimMapping, ClaimPath, IdentityError, Scopes};
use crate::domain::{Subject, is_name};

/// The plan of a token that names none.
pub const DEFAULT_PLAN: &str = "default";

const TIME: &str = "a time in whole or decimal seconds since 1970 (not milliseconds)";
const NAME: &str = "a string of 1 to 256 bytes without control characters";
const WORDS: &str = "a string of words with spaces between them, or a list of words";
const CAPS: &str = "an object with `usd`, a decimal text, and `audio_ms`, a whole number, at most";
const AUDIENCE: &str = "a string or a list of strings";

/// The rules for a token beyond its signature.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The largest allowed difference between the clocks of the issuer and of the gateway; part of a second counts as a
    /// whole one.
    pub leeway: Duration,
    /// The only accepted issuer; `None` accepts every issuer that has a key.
    pub issuer: Option<String>,
    /// The names of this gateway. `aud` must contain one of them; if the list is empty, `aud` is ignored.
    pub audience: Vec<String>,
    /// The claims that hold the caller and its permissions.
    pub mapping: ClaimMapping,
}

impl Rules {
    fn leeway_seconds(&self) -> u64 {
        self.leeway.as_secs().saturating_add(u64::from(self.leeway.subsec_nanos() > 0))
    }
}

/// The claims whose names are fixed (RFC 7519 §4.1).
const REGISTERED: [&str; 6] = ["exp", "nbf", "iat", "iss", "aud", "jti"];
/// The claim in which `POST /v1/sessions` writes the caps.
pub(super) const CAPS_CLAIM: &str = "voxgate_caps";
/// The claim for the subject that made the session. Session tokens from before this claim existed are valid without it.
pub(super) const MAKER_CLAIM: &str = "voxgate_maker";

/// Lists the names of all claims that these rules read.
pub(super) fn claim_names(rules: &Rules) -> Vec<&str> {
    let mapping = &rules.mapping;
    let mapped = [&mapping.subject, &mapping.plan, &mapping.scope].map(ClaimPath::claim);
    REGISTERED.into_iter().chain([CAPS_CLAIM, MAKER_CLAIM]).chain(mapped).collect()
}

/// Returns the caller that the claims describe, if they are valid at `now`.
pub(super) fn authorize(claims: &BTreeMap<String, Value>, rules: &Rules, now: u64) -> Result<Caller, IdentityError> {
    let registered = |name: &'static str| Claim { name, value: claims.get(name) };
    let expires_at = registered("exp").time()?.ok_or(IdentityError::MissingClaim("exp".into()))?;
    let issued_at = registered("iat").time()?;
    check_times(expires_at, registered("nbf").time()?, issued_at, rules.leeway_seconds(), now)?;
    check_issuer(&registered("iss"), rules)?;
    check_audience(&registered("aud"), rules)?;
    let ClaimMapping { subject, plan, scope, .. } = &rules.mapping;
    let subject = Claim::at(subject, claims);
    let name = subject.name()?.ok_or_else(|| IdentityError::MissingClaim(subject.name.to_owned().into()))?;
    let (caps, token_id) = (registered(CAPS_CLAIM).caps()?, registered("jti").name()?);
    let maker = registered(MAKER_CLAIM);
    if token_id.is_none() && !caps.are_none() {
        // The id identifies the usage that counts towards the caps.
        return Err(IdentityError::MissingClaim("jti".into()));
    }
    Ok(Caller {
        subject: Subject::try_from(name).map_err(|_| subject.invalid(NAME))?,
        scopes: scopes(&Claim::at(scope, claims).or_absent_if_null("scope"), &rules.mapping)?,
        plan: Claim::at(plan, claims).or_absent_if_null("plan").name()?.unwrap_or_else(|| DEFAULT_PLAN.to_owned()),
        token_id,
        expires_at,
        issued_at,
        caps,
        maker: maker.name()?.map(Subject::try_from).transpose().map_err(|_| maker.invalid(NAME))?,
    })
}

/// A claim that may be absent. `null` is not absent: it is a value of the wrong type.
struct Claim<'a> {
    name: &'a str,
    value: Option<&'a Value>,
}

impl<'a> Claim<'a> {
    fn at(path: &'a ClaimPath, claims: &'a BTreeMap<String, Value>) -> Self {
        Self { name: path.as_str(), value: path.find(claims) }
    }

    /// Treats `null` as absent: an issuer that copies its user data into its own claims writes `null` for an unknown
    /// value.
    fn or_absent_if_null(self, own_name: &str) -> Self {
        if self.name == own_name { self } else { Self { value: self.value.filter(|value| !value.is_null()), ..self } }
    }

    fn invalid(&self, rule: &'static str) -> IdentityError {
        IdentityError::InvalidClaim { claim: self.name.to_owned().into(), rule }
    }

    fn text(&self, rule: &'static str) -> Result<Option<&'a str>, IdentityError> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(rule)),
        }
    }

    fn name(&self) -> Result<Option<String>, IdentityError> {
        match self.text(NAME)? {
            Some(text) if !is_name(text) => Err(self.invalid(NAME)),
            name => Ok(name.map(str::to_owned)),
        }
    }

    /// Reads a cap. An unreadable cap is an error: it must not count as no cap.
    fn caps(&self) -> Result<Caps, IdentityError> {
        let caps = self.value.map(|value| serde_json::from_value(value.clone())).transpose();
        caps.map(Option::unwrap_or_default).map_err(|_| self.invalid(CAPS))
    }

    /// Reads a `NumericDate`, which may have decimals (RFC 7519 §2); they are cut off.
    fn time(&self) -> Result<Option<u64>, IdentityError> {
        let Some(value) = self.value else { return Ok(None) };
        let decimal = || Some(Duration::try_from_secs_f64(value.as_f64()?).ok()?.as_secs());
        match value.as_u64().or_else(decimal) {
            Some(seconds) if seconds <= LAST_SECOND => Ok(Some(seconds)),
            _ => Err(self.invalid(TIME)),
        }
    }

    /// Reads every item of a list of texts.
    fn texts(&self, list: &'a [Value], rule: &'static str) -> Result<Vec<&'a str>, IdentityError> {
        list.iter().map(|item| item.as_str().ok_or_else(|| self.invalid(rule))).collect()
    }
}

fn scopes(scope: &Claim<'_>, mapping: &ClaimMapping) -> Result<Scopes, IdentityError> {
    match scope.value {
        None => Ok(mapping.default_scope),
        Some(Value::String(words)) => Ok(mapping.scopes(words.split_ascii_whitespace())),
        Some(Value::Array(words)) => Ok(mapping.scopes(scope.texts(words, WORDS)?.into_iter())),
        Some(_) => Err(scope.invalid(WORDS)),
    }
}

fn check_times(exp: u64, nbf: Option<u64>, iat: Option<u64>, leeway: u64, now: u64) -> Result<(), IdentityError> {
    // A token has expired at `exp` exactly (RFC 7519 §4.1.4), and is valid at `nbf` exactly (§4.1.5).
    if now >= exp.saturating_add(leeway) {
        return Err(IdentityError::Expired { at: exp, now });
    }
    let latest = now.saturating_add(leeway);
    if let Some(from) = nbf.filter(|nbf| *nbf > latest) {
        return Err(IdentityError::NotYetValid { from, now });
    }
    match iat.filter(|iat| *iat > latest) {
        Some(at) => Err(IdentityError::IssuedInFuture { at, now }),
        None => Ok(()),
    }
}

fn check_issuer(iss: &Claim<'_>, rules: &Rules) -> Result<(), IdentityError> {
    let Some(issuer) = &rules.issuer else { return Ok(()) };
    match iss.text("a string")? {
        Some(iss) if iss == issuer => Ok(()),
        Some(_) => Err(IdentityError::WrongIssuer),
        None => Err(IdentityError::MissingClaim("iss".into())),
    }
}

fn check_audience(aud: &Claim<'_>, rules: &Rules) -> Result<(), IdentityError> {
    if rules.audience.is_empty() {
        return Ok(());
    }
    let named = match aud.value {
        None => return Err(IdentityError::MissingClaim("aud".into())),
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(list)) => aud.texts(list, AUDIENCE)?,
        Some(_) => return Err(aud.invalid(AUDIENCE)),
    };
    let is_for_us = named.iter().any(|name| rules.audience.iter().any(|own| own == name));
    if is_for_us { Ok(()) } else { Err(IdentityError::WrongAudience) }
}
