//! The places of the subject, the plan and the scopes in an issuer's tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::Scopes;

/// The claims that the gateway reads. The defaults are its own: `sub`, `plan` and `scope`.
#[derive(Debug, Clone)]
pub struct ClaimMapping {
    /// The claim that holds the subject.
    pub subject: ClaimPath,
    /// The claim that holds the key of `[plans]`.
    pub plan: ClaimPath,
    /// The claim that holds the scopes: words with spaces between them, or a list of words.
    pub scope: ClaimPath,
    /// The scopes of a token without that claim.
    pub default_scope: Scopes,
    /// The scopes that the issuer's own words stand for, such as the names of roles.
    pub words: BTreeMap<String, Scopes>,
}

impl Default for ClaimMapping {
    fn default() -> Self {
        Self {
            subject: ClaimPath::named("sub"),
            plan: ClaimPath::named("plan"),
            scope: ClaimPath::named("scope"),
            default_scope: Scopes::default(),
            words: BTreeMap::new(),
        }
    }
}

impl ClaimMapping {
    /// Returns the scopes that these words allow together. An unknown word allows nothing: an issuer may serve other
    /// services too.
    pub(super) fn scopes<'a>(&self, words: impl Iterator<Item = &'a str>) -> Scopes {
        words.fold(Scopes::default(), |all, word| {
            all | self.words.get(word).copied().unwrap_or_else(|| Scopes::from_claim(word))
        })
    }
}

/// The place of a claim: its literal name, such as `plan` or `https://example.com/plan`, or, if it starts with a slash, a
/// JSON pointer (RFC 6901), such as `/realm_access/roles`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    claim: String,
    within: Vec<String>,
}

/// A text that is not the place of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes the name of a claim, or a JSON pointer such as \"/realm_access/roles\"")]
pub struct ClaimPathError;

impl ClaimPath {
    fn named(name: &str) -> Self {
        Self { text: name.to_owned(), claim: name.to_owned(), within: Vec::new() }
    }

    /// Returns the name of the top-level claim.
    pub(super) fn claim(&self) -> &str {
        &self.claim
    }

    /// Returns the path as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the value at this place, if there is one.
    pub(super) fn find<'a>(&self, claims: &'a BTreeMap<String, Value>) -> Option<&'a Value> {
        let claim = claims.get(&self.claim)?;
        self.within.iter().try_fold(claim, |value, step| value.as_object()?.get(step))
    }

    /// Puts `value` at this place, for a token that the gateway makes.
    pub(super) fn put(&self, claims: &mut Map<String, Value>, value: Value) {
        let mut steps = self.within.iter().rev();
        let inner = steps.by_ref().fold(value, |value, step| Value::Object(Map::from_iter([(step.clone(), value)])));
        match claims.get_mut(&self.claim) {
            Some(there) => merge(there, inner),
            None => drop(claims.insert(self.claim.clone(), inner)),
        }
    }
}

/// Merges two values, since two paths may lead through one object.
fn merge(there: &mut Value, new: Value) {
    match (there, new) {
        (Value::Object(there), Value::Object(new)) => {
            for (name, value) in new {
                match there.get_mut(&name) {
                    Some(inner) => merge(inner, value),
                    None => drop(there.insert(name, value)),
                }
            }
        }
        (there, new) => *there = new,
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(ClaimPathError);
        }
        let Some(pointer) = text.strip_prefix('/') else { return Ok(Self::named(text)) };
        let mut steps = pointer.split('/').map(unescaped);
        let claim = steps.next().flatten().ok_or(ClaimPathError)?;
        let within = steps.collect::<Option<Vec<_>>>().ok_or(ClaimPathError)?;
        Ok(Self { text: text.to_owned(), claim, within })
    }
}

/// Unescapes a step of a JSON pointer: `~1` stands for a slash and `~0` for the tilde (RFC 6901 §3).
fn unescaped(step: &str) -> Option<String> {
    let stray = step.split('~').skip(1).any(|after| !after.starts_with(['0', '1']));
    (!step.is_empty() && !stray).then(|| step.replace("~1", "/").replace("~0", "~"))
}

impl fmt::Debug for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_a_name_as_it_stands_or_a_json_pointer() {
        let claims = json!({
            "plan": "a", "https://example.com/plan": "b", "realm_access": {"roles": "c", "x/y": "d", "~": "e"},
            "a.b": "f", "/odd": "g",
        });
        let claims: BTreeMap<String, Value> = serde_json::from_value(claims).unwrap();
        for (path, found) in [
            ("plan", Some("a")),
            ("https://example.com/plan", Some("b")),
            ("/https:~1~1example.com~1plan", Some("b")),
            ("/plan", Some("a")),
            ("/realm_access/roles", Some("c")),
            ("/realm_access/x~1y", Some("d")),
            ("/realm_access/~0", Some("e")),
            ("a.b", Some("f")),
            ("/~1odd", Some("g")),
            ("realm_access.roles", None),
            ("/realm_access/roles/0", None),
            ("/realm_access/none", None),
            ("/none/roles", None),
        ] {
            let path = path.parse::<ClaimPath>().unwrap();
            assert_eq!(path.find(&claims).and_then(Value::as_str), found, "{path:?}");
        }
        for wrong in ["", "/", "//", "/a//b", "/a/", "/~", "/~2", "/a/~x", "a\nb"] {
            assert_eq!(wrong.parse::<ClaimPath>(), Err(ClaimPathError), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_put_at_places_is_found_there() {
        let paths = ["/app/plan", "/app/scope", "sub", "/a/b/c"].map(|path| path.parse::<ClaimPath>().unwrap());
        let mut claims = Map::new();
        for path in &paths {
            path.put(&mut claims, json!(path.as_str()));
        }
        let claims = claims.into_iter().collect();
        for path in &paths {
            assert_eq!(path.find(&claims), Some(&json!(path.as_str())));
        }
    }
}
