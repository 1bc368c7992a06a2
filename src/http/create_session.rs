//! Parsing of a request to create a session, and the check against the caller's own rights.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{ApiError, ErrorCode};
use crate::config::Plan;
use crate::domain::text::printable;
use crate::domain::{AudioMs, NanoUsd, Subject};
use crate::identity::{Caller, Caps, Scope, Scopes};
use crate::limits::session::LONGEST;

const DEFAULT: Duration = Duration::from_mins(10);
/// The largest cap on a session's audio, in seconds: about three years. A larger number is a mistake.
const MOST_SECONDS: u64 = 100_000_000;

/// The members of a JSON object. Keeps a repeated name, to refuse it: two readers could take different values.
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

/// The longest part of an unknown member's name in a message, in characters.
const MAX_SHOWN_NAME: usize = 40;

/// The parameters of a session to create.
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
    /// Parses a body. The defaults grant little: the scope to transcribe, ten minutes, and the caller's plan.
    pub(super) fn of(body: &[u8], caller: &Caller) -> Result<Self, ApiError> {
        let members: Members = serde_json::from_slice(body).map_err(|error| {
            ApiError::new(ErrorCode::InvalidJson, format!("The body must be a JSON object: {error}."))
        })?;
        if let Some(repeated) = &members.repeated {
            let shown = printable(repeated, MAX_SHOWN_NAME);
            return Err(ApiError::invalid_parameter(&shown, "it is there more than once"));
        }
        let members = members.values;
        if let Some(unknown) = members.keys().find(|name| !TAKES.contains(&name.as_str())) {
            let shown = printable(unknown, MAX_SHOWN_NAME);
            return Err(ApiError::invalid_parameter(&shown, &format!("it is none of {}", TAKES.join(", "))));
        }
        // No member accepts `null`: a cap of `null` would be no cap.
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
                // The shortest digits for this number, which are those in the body. Unlike JSON, they never have an
                // exponent.
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

    /// Returns the session if it grants no more than the caller may have.
    pub(super) fn within(self, caller: &Caller, plans: &BTreeMap<String, Plan>) -> Result<Self, ApiError> {
        if self.scopes.is_empty() || self.scopes.contains(Scope::Sessions) {
            return Err(ApiError::invalid_parameter(
                "scope",
                "a session is for one or more of: transcribe, translate, usage",
            ));
        }
        if !caller.caps.are_none() {
            // Only the store knows how much of the caps is left, and each session would get that much again.
            let message = "A token with caps of its own cannot open sessions.";
            return Err(ApiError::new(ErrorCode::InsufficientScope, message));
        }
        let beyond = self.scopes.without(caller.scopes);
        if !beyond.is_empty() {
            let message = format!("You cannot give what your own token does not allow: its `scope` lacks `{beyond}`.");
            return Err(ApiError::new(ErrorCode::InsufficientScope, message));
        }
        let plan = plans.get(&self.plan);
        let plan = plan.ok_or_else(|| ApiError::invalid_parameter("plan", "there is no such plan"))?;
        let is_own = self.plan == caller.plan;
        if !is_own && !plans.get(&caller.plan).is_some_and(|own| plan.is_within(own)) {
            let message = format!("You cannot give the plan '{}', which allows more than your own.", self.plan);
            return Err(ApiError::new(ErrorCode::PlanNotAllowed, message));
        }
        Ok(self)
    }
}
