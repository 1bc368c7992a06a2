//! The body of a request to create a session.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::domain::text::printable;
use crate::domain::{AudioMs, NanoUsd, Subject, UnixMs};
use crate::identity::{Caps, Scope, Scopes};
use crate::limits::session::{MAX_DURATION, Session};

/// The duration of a session whose body states none.
const DEFAULT_DURATION: Duration = Duration::from_mins(10);
/// The largest cap on a session's audio, in seconds: about three years. A larger number is a mistake.
const MAX_AUDIO_SECONDS: u64 = 100_000_000;
/// The maximum number of characters of a client's own name that an error repeats.
const MAX_SHOWN_NAME: usize = 40;
/// The maximum number of characters of an error's reason, which may repeat what came.
const MAX_REASON: usize = 300;

/// The parameters of a session to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSession {
    /// The subject that will use the session.
    pub subject: Subject,
    /// The time after which the session expires.
    pub ttl: Duration,
    /// The scopes of the session.
    pub scopes: Scopes,
    /// The key of `[plans]` whose limits apply.
    pub plan: String,
    /// The caps on the total usage of the session.
    pub caps: Caps,
}

/// An error in the body of a request to create a session.
#[derive(Debug, thiserror::Error)]
pub enum CreateSessionError {
    /// The body is no JSON object.
    #[error("The body must be a JSON object: {0}.")]
    NotAnObject(serde_json::Error),
    /// A parameter has an invalid value, is unknown, or is there more than once: two readers could take different
    /// values.
    #[error("Invalid value for '{name}': {reason}.")]
    Parameter {
        /// The name of the parameter.
        name: String,
        /// The mistake, and the values that are allowed.
        reason: String,
    },
    /// The subject is missing.
    #[error("'subject' is required.")]
    NoSubject,
}

/// The members of the body. No member accepts `null`: a cap of `null` would be no cap.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "text")]
    subject: Option<Subject>,
    #[serde(default, deserialize_with = "whole_number::<_, { MAX_DURATION.as_secs() }>")]
    ttl_seconds: Option<u64>,
    #[serde(default, deserialize_with = "text")]
    scope: Option<Scopes>,
    #[serde(default, deserialize_with = "text")]
    plan: Option<String>,
    #[serde(default, deserialize_with = "whole_number::<_, MAX_AUDIO_SECONDS>")]
    max_audio_seconds: Option<u64>,
    #[serde(default, deserialize_with = "amount")]
    max_usd: Option<NanoUsd>,
}

impl CreateSession {
    /// Parses a body. The defaults grant little: the scope to transcribe, ten minutes, and the maker's plan.
    pub fn parse(body: &[u8], own_plan: &str) -> Result<Self, CreateSessionError> {
        let Names { repeated } = serde_json::from_slice(body).map_err(CreateSessionError::NotAnObject)?;
        if let Some(name) = repeated {
            return Err(invalid(&name, "it is there more than once"));
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let body: Body = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| invalid(&error.path().to_string(), &error.inner().to_string()))?;
        Ok(Self {
            subject: body.subject.ok_or(CreateSessionError::NoSubject)?,
            ttl: body.ttl_seconds.map_or(DEFAULT_DURATION, Duration::from_secs),
            scopes: body.scope.unwrap_or_else(|| Scopes::from_iter([Scope::Transcribe])),
            plan: body.plan.unwrap_or_else(|| own_plan.to_owned()),
            caps: Caps {
                usd: body.max_usd,
                audio: body.max_audio_seconds.map(|seconds| AudioMs::new(seconds.saturating_mul(1000))),
            },
        })
    }
}

impl CreateSession {
    /// Returns the session of this `id`, opened at `now` with a token that expires at `token_expires_at`, in seconds
    /// since 1970. The session does not outlive that token.
    pub fn session(&self, id: String, now: UnixMs, token_expires_at: u64) -> Session {
        let left = Duration::from_secs(token_expires_at.saturating_sub(now.get() / 1000)).max(Duration::from_secs(1));
        Session {
            id,
            subject: self.subject.clone(),
            plan: self.plan.clone(),
            scope: self.scopes.to_string(),
            created_at: now,
            expires_at: now.plus(self.ttl.min(left)),
            caps: self.caps,
        }
    }
}

fn invalid(name: &str, reason: &str) -> CreateSessionError {
    CreateSessionError::Parameter { name: printable(name, MAX_SHOWN_NAME), reason: printable(reason, MAX_REASON) }
}

/// The names of an object's members, as far as one is repeated.
struct Names {
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let (mut seen, mut repeated) = (HashSet::new(), None);
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if seen.contains(&name) {
                        repeated = Some(name);
                    } else {
                        seen.insert(name);
                    }
                }
                Ok(Names { repeated })
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Reads a string, and parses it.
fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    struct Text<T>(PhantomData<T>);

    impl<T> Visitor<'_> for Text<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|error| E::custom(format_args!("it {error}")))
        }
    }

    deserializer.deserialize_str(Text(PhantomData)).map(Some)
}

/// Reads a whole number from 1 to `MAX`.
fn whole_number<'de, D: Deserializer<'de>, const MAX: u64>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct WholeNumber<const MAX: u64>;

    impl<const MAX: u64> Visitor<'_> for WholeNumber<MAX> {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from 1 to {MAX}")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            let is_allowed = (1..=MAX).contains(&number);
            if is_allowed { Ok(number) } else { Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)) }
        }
    }

    deserializer.deserialize_u64(WholeNumber::<MAX>).map(Some)
}

/// Reads an amount of money: a string, or a number, whose shortest digits are those in the body.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NanoUsd>, D::Error> {
    struct Amount;

    impl Visitor<'_> for Amount {
        type Value = NanoUsd;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount, such as \"0.10\"")
        }

        fn visit_str<E: de::Error>(self, digits: &str) -> Result<NanoUsd, E> {
            digits.parse().map_err(|error| E::custom(format_args!("it {error}")))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<NanoUsd, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<NanoUsd, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<NanoUsd, E> {
            // Unlike JSON, these digits never have an exponent.
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(Amount).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<CreateSession, CreateSessionError> {
        CreateSession::parse(body.as_bytes(), "own")
    }

    #[test]
    fn a_body_that_states_only_a_subject_grants_little() {
        let session = parse(r#"{"subject":"carol"}"#).unwrap();
        let scopes = Scopes::from_iter([Scope::Transcribe]);
        let expected = CreateSession {
            subject: "carol".parse().unwrap(),
            ttl: DEFAULT_DURATION,
            scopes,
            plan: "own".to_owned(),
            caps: Caps::default(),
        };
        assert_eq!(session, expected);
    }

    #[test]
    fn an_amount_is_read_as_it_is_written() {
        for (amount, nanos) in [("\"0.10\"", 100_000_000), ("0.10", 100_000_000), ("1e-9", 1), ("2", 2_000_000_000)] {
            let session = parse(&format!(r#"{{"subject":"carol","max_usd":{amount}}}"#)).unwrap();
            assert_eq!(session.caps.usd, Some(NanoUsd::new(nanos)), "{amount}");
        }
    }

    #[test]
    fn an_error_names_the_parameter_what_came_and_what_is_allowed() {
        for (body, parameter, parts) in [
            (r#"{"subject":5}"#, "subject", ["integer `5`", "a string"]),
            (r#"{"subject":"c","ttl_seconds":0}"#, "ttl_seconds", ["`0`", "a whole number from 1 to 86400"]),
            (r#"{"subject":"c","ttl_seconds":1.5}"#, "ttl_seconds", ["`1.5`", "a whole number from 1 to 86400"]),
            (r#"{"subject":"c","max_usd":true}"#, "max_usd", ["`true`", "an amount, such as"]),
            (r#"{"subject":"c","plan":null}"#, "plan", ["null", "a string"]),
            (r#"{"subject":"c","scope":"all"}"#, "scope", ["\"all\"", "transcribe"]),
            (r#"{"subject":"c","ttl\n":5}"#, "ttl", ["ttl", "`ttl_seconds`"]),
            (r#"{"subject":"c","subject":"d"}"#, "subject", ["more than once", ""]),
        ] {
            let Err(CreateSessionError::Parameter { name, reason }) = parse(body) else { panic!("{body}") };
            assert_eq!(name, parameter, "{body}");
            assert!(parts.iter().all(|part| reason.contains(part)), "{body}: {reason}");
        }
        assert!(matches!(parse("{}"), Err(CreateSessionError::NoSubject)));
        for body in ["", "5", "[\"c\"]", "{\"subject\":\"c\"} x", "{\"subject\":"] {
            assert!(matches!(parse(body), Err(CreateSessionError::NotAnObject(_))), "{body}");
        }
    }
}
