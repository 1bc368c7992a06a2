//! What a token says, judged by the rules of this gateway (RFC 7519 §4.1).

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::caller::is_name;
use super::time::LAST_SECOND;
use super::{Caller, Caps, IdentityError, Scopes, Subject};

/// The plan of a token that names none.
pub const DEFAULT_PLAN: &str = "default";

const TIME: &str = "a time in whole or decimal seconds since 1970 (not milliseconds)";
const NAME: &str = "a string of 1 to 256 bytes without control characters";
const WORDS: &str = "a string of words with spaces between them";
const CAPS: &str = "an object with `usd`, a decimal text, and `audio_ms`, a whole number, at most";
const AUDIENCE: &str = "a string or a list of strings";

/// What a good signature alone does not settle.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// How far the clocks of the issuer and of the gateway may differ; part of a second counts as a whole one.
    pub leeway: Duration,
    /// The one issuer whose word is taken; anyone who has a key where it is `None`.
    pub issuer: Option<String>,
    /// The names of this gateway, of which `aud` must give one; where there are none, `aud` is not looked at.
    pub audience: Vec<String>,
}

impl Rules {
    fn leeway_seconds(&self) -> u64 {
        self.leeway.as_secs().saturating_add(u64::from(self.leeway.subsec_nanos() > 0))
    }
}

/// The claims that the gateway looks at, each as it came; all others are the issuer's own business. A claim that is
/// given twice is an error, as two readers could believe different ones.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    sub: Claim,
    exp: Claim,
    nbf: Claim,
    iat: Claim,
    iss: Claim,
    aud: Claim,
    jti: Claim,
    scope: Claim,
    plan: Claim,
    voxgate_caps: Claim,
}

/// A claim that may be absent. `null` is not absent: it is a value of the wrong type.
#[derive(Default)]
struct Claim(Option<Value>);

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(claim: D) -> Result<Self, D::Error> {
        Value::deserialize(claim).map(|value| Self(Some(value)))
    }
}

impl Claims {
    /// The caller that the claims describe, if they hold at `now`.
    pub(super) fn judge(self, rules: &Rules, now: u64) -> Result<Caller, IdentityError> {
        let expires_at = self.exp.time("exp")?.ok_or(IdentityError::MissingClaim("exp"))?;
        let issued_at = self.iat.time("iat")?;
        check_times(expires_at, self.nbf.time("nbf")?, issued_at, rules.leeway_seconds(), now)?;
        check_issuer(self.iss, rules)?;
        check_audience(self.aud, rules)?;
        let subject = self.sub.name("sub")?.ok_or(IdentityError::MissingClaim("sub"))?;
        let (caps, token_id) = (self.voxgate_caps.caps()?, self.jti.name("jti")?);
        if token_id.is_none() && !caps.are_none() {
            // By its name it is known what was used.
            return Err(IdentityError::MissingClaim("jti"));
        }
        Ok(Caller {
            subject: Subject::try_from(subject)
                .map_err(|_| IdentityError::InvalidClaim { claim: "sub", rule: NAME })?,
            scopes: self.scope.text("scope", WORDS)?.map_or_else(Scopes::default, |words| Scopes::from_claim(&words)),
            plan: self.plan.name("plan")?.unwrap_or_else(|| DEFAULT_PLAN.to_owned()),
            token_id,
            expires_at,
            issued_at,
            caps,
        })
    }
}

impl Claim {
    fn text(self, claim: &'static str, rule: &'static str) -> Result<Option<String>, IdentityError> {
        match self.0 {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(IdentityError::InvalidClaim { claim, rule }),
        }
    }

    fn name(self, claim: &'static str) -> Result<Option<String>, IdentityError> {
        match self.text(claim, NAME)? {
            Some(text) if !is_name(&text) => Err(IdentityError::InvalidClaim { claim, rule: NAME }),
            name => Ok(name),
        }
    }

    /// What `POST /v1/sessions` has written. A cap that cannot be read must not be none.
    fn caps(self) -> Result<Caps, IdentityError> {
        let claim = "voxgate_caps";
        let caps = self.0.map(serde_json::from_value).transpose();
        caps.map(Option::unwrap_or_default).map_err(|_| IdentityError::InvalidClaim { claim, rule: CAPS })
    }

    /// A `NumericDate`, which may have decimals (RFC 7519 §2); they are cut off.
    fn time(&self, claim: &'static str) -> Result<Option<u64>, IdentityError> {
        let Some(value) = &self.0 else { return Ok(None) };
        let decimal = || Some(Duration::try_from_secs_f64(value.as_f64()?).ok()?.as_secs());
        match value.as_u64().or_else(decimal) {
            Some(seconds) if seconds <= LAST_SECOND => Ok(Some(seconds)),
            _ => Err(IdentityError::InvalidClaim { claim, rule: TIME }),
        }
    }
}

fn check_times(exp: u64, nbf: Option<u64>, iat: Option<u64>, leeway: u64, now: u64) -> Result<(), IdentityError> {
    // At `exp` itself a token is already over (RFC 7519 §4.1.4); at `nbf` itself it is valid (§4.1.5).
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

fn check_issuer(iss: Claim, rules: &Rules) -> Result<(), IdentityError> {
    let Some(issuer) = &rules.issuer else { return Ok(()) };
    match iss.text("iss", "a string")? {
        Some(iss) if iss == *issuer => Ok(()),
        Some(_) => Err(IdentityError::WrongIssuer),
        None => Err(IdentityError::MissingClaim("iss")),
    }
}

fn check_audience(aud: Claim, rules: &Rules) -> Result<(), IdentityError> {
    if rules.audience.is_empty() {
        return Ok(());
    }
    let invalid = IdentityError::InvalidClaim { claim: "aud", rule: AUDIENCE };
    let named = match aud.0 {
        None => return Err(IdentityError::MissingClaim("aud")),
        Some(Value::String(one)) => vec![one],
        Some(list @ Value::Array(_)) => serde_json::from_value(list).map_err(|_| invalid)?,
        Some(_) => return Err(invalid),
    };
    let ours = named.iter().any(|name| rules.audience.contains(name));
    if ours { Ok(()) } else { Err(IdentityError::WrongAudience) }
}
