//! What a backend asks a session to be, checked against what it may have itself.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::config::Plan;
use crate::domain::Subject;
use crate::domain::{AudioMs, NanoUsd};
use crate::identity::{Caller, Caps, Scope, Scopes};
use crate::limits::session::LONGEST;

const DEFAULT: Duration = Duration::from_mins(10);
/// The most audio that a session can be capped at, some years: what is more is a slip.
const MOST_SECONDS: u64 = 100_000_000;

/// The members of a JSON object. Of two with one name a reader may take either, so that is told.
#[derive(Default)]
struct Members {
    values: Map<String, Value>,
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.values.insert(name.clone(), value).is_some() {
                        members.repeated = Some(name);
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A name that a client sent, short and printable.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A session as it is asked for.
#[derive(Debug)]
pub(super) struct CreateSession {
    pub(super) subject: Subject,
    pub(super) ttl: Duration,
    pub(super) scopes: Scopes,
    pub(super) plan: String,
    pub(super) caps: Caps,
}

const TAKES: [&str; 6] = ["subject", "ttl_seconds", "scope", "plan", "max_audio_seconds", "max_usd"];

impl CreateSession {
    /// The wish in a body. What is left out is as little as is of use: to transcribe, for ten minutes, by the caller's plan.
    pub(super) fn of(body: &[u8], caller: &Caller) -> Result<Self, ApiError> {
        let members: Members = serde_json::from_slice(body)
            .map_err(|error| ApiError::invalid_json(format!("The body must be a JSON object: {error}.")))?;
        if let Some(repeated) = &members.repeated {
            let shown = printable(repeated);
            return Err(ApiError::invalid_parameter(&shown, "it is there more than once"));
        }
        let members = members.values;
        if let Some(unknown) = members.keys().find(|name| !TAKES.contains(&name.as_str())) {
            let shown = printable(unknown);
            return Err(ApiError::invalid_parameter(&shown, &format!("it is none of {}", TAKES.join(", "))));
        }
        // `null` is a value like any other and none that a member takes: a cap that is null would be no cap.
        let member = |name: &str| members.get(name);
        let text = |name: &'static str| match member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(ApiError::invalid_parameter(name, "it takes a text")),
        };
        let whole = |name: &'static str, most: u64| match member(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) if (1..=most).contains(&number) => Ok(Some(number)),
                _ => Err(ApiError::invalid_parameter(name, &format!("it takes a whole number from 1 to {most}"))),
            },
        };
        let subject = text("subject")?.ok_or_else(|| ApiError::missing_parameter("subject"))?;
        let usd = match member("max_usd") {
            Some(value @ (Value::String(_) | Value::Number(_))) => {
                // The fewest digits that mean this number, which are those that were written, and unlike in JSON never
                // with an exponent.
                let number = || value.as_f64().map(|number| number.to_string()).unwrap_or_default();
                let digits = value.as_str().map_or_else(number, str::to_owned);
                let amount = digits.parse::<NanoUsd>();
                Some(amount.map_err(|error| ApiError::invalid_parameter("max_usd", &format!("it {error}")))?)
            }
            None => None,
            Some(_) => return Err(ApiError::invalid_parameter("max_usd", "it takes an amount, such as \"0.10\"")),
        };
        Ok(Self {
            subject: subject.parse().map_err(|error| ApiError::invalid_parameter("subject", &format!("it {error}")))?,
            ttl: whole("ttl_seconds", LONGEST.as_secs())?.map_or(DEFAULT, Duration::from_secs),
            scopes: match text("scope")? {
                None => Scopes::from_iter([Scope::Transcribe]),
                Some(words) => {
                    words.parse().map_err(|error| ApiError::invalid_parameter("scope", &format!("{error}")))?
                }
            },
            plan: text("plan")?.unwrap_or(&caller.plan).to_owned(),
            caps: Caps {
                usd,
                audio: whole("max_audio_seconds", MOST_SECONDS)?.map(|seconds| AudioMs::new(seconds * 1000)),
            },
        })
    }

    /// The same, if it is no more than the caller may have.
    pub(super) fn within(self, caller: &Caller, plans: &BTreeMap<String, Plan>) -> Result<Self, ApiError> {
        if self.scopes.is_empty() || self.scopes.contains(Scope::Sessions) {
            return Err(ApiError::invalid_parameter(
                "scope",
                "a session is for one or more of: transcribe, translate, usage",
            ));
        }
        if !caller.caps.are_none() {
            // What is left of them the store alone knows, and each session would have it again.
            let message = "A token with caps of its own cannot open sessions.";
            return Err(ApiError::forbidden("insufficient_scope", message));
        }
        let beyond = self.scopes.without(caller.scopes);
        if !beyond.is_empty() {
            let message = format!("You cannot give what your own token does not allow: its `scope` lacks `{beyond}`.");
            return Err(ApiError::forbidden("insufficient_scope", message));
        }
        let plan = plans.get(&self.plan);
        let plan = plan.ok_or_else(|| ApiError::invalid_parameter("plan", "there is no such plan"))?;
        let is_own = self.plan == caller.plan;
        if !is_own && !plans.get(&caller.plan).is_some_and(|own| plan.is_within(own)) {
            let message = format!("You cannot give the plan '{}', which allows more than your own.", self.plan);
            return Err(ApiError::forbidden("plan_not_allowed", message));
        }
        Ok(self)
    }
}
