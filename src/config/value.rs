//! The notation of each kind of setting, in TOML or as the text of an environment variable.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use toml::Value;
use url::Url;

use crate::domain::text::trim_byte_order_mark;
use crate::domain::{MoneyError, NanoUsd};

/// A kind of setting.
pub(super) trait Setting: Sized {
    /// The reason why a value is wrong, as the end of the sentence "got …; takes …".
    type Err: fmt::Display;
    /// True if messages must not show a wrong value.
    const SECRET: bool = false;

    fn parse(value: &Value) -> Result<Self, Self::Err>;
}

/// The error of a value that is none of the expected ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes {0}")]
pub(super) struct Expected(pub(super) &'static str);

/// The error of a value that a type's own parser refuses, or that is no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum TextError<E: fmt::Display> {
    #[error("takes a string")]
    NotText,
    #[error("{0}")]
    Invalid(E),
}

/// Reads a text by its type's own parser.
pub(super) fn parse_text<T: FromStr<Err: fmt::Display>>(value: &Value) -> Result<T, TextError<T::Err>> {
    let text = value.as_str().ok_or(TextError::NotText)?;
    text.trim().parse().map_err(TextError::Invalid)
}

/// Makes settings of types that have a parser of their own.
macro_rules! text_settings {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::config::value::Setting for $type {
            type Err = $crate::config::value::TextError<<$type as std::str::FromStr>::Err>;

            fn parse(value: &toml::Value) -> Result<Self, Self::Err> {
                $crate::config::value::parse_text(value)
            }
        }
    )+};
}

pub(super) use text_settings;

const TEXT: Expected = Expected("a non-empty string");
const NUMBER: Expected = Expected("a whole number, 0 or more");

fn parse_trimmed(text: &str) -> Result<String, Expected> {
    let text = text.trim();
    if text.is_empty() { Err(TEXT) } else { Ok(text.to_owned()) }
}

impl Setting for String {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        parse_trimmed(value.as_str().ok_or(TEXT)?)
    }
}

impl Setting for bool {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        value.as_bool().or_else(|| value.as_str()?.parse().ok()).ok_or(Expected("true or false"))
    }
}

impl Setting for u64 {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        match value {
            Value::Integer(number) => Self::try_from(*number).map_err(|_| NUMBER),
            Value::String(text) => text.trim().parse().map_err(|_| NUMBER),
            _ => Err(NUMBER),
        }
    }
}

impl Setting for usize {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        Self::try_from(u64::parse(value)?).map_err(|_| NUMBER)
    }
}

/// Reads an amount from text, since a TOML float would not be exact; whole dollars may also be a number.
impl Setting for NanoUsd {
    type Err = MoneyError;

    fn parse(value: &Value) -> Result<Self, MoneyError> {
        match value {
            Value::Integer(dollars) => dollars.to_string().parse(),
            Value::String(text) => text.trim().parse(),
            _ => Err(MoneyError),
        }
    }
}

/// Reads a duration of at least one millisecond and at most a day.
impl Setting for Duration {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let allowed = Duration::from_millis(1)..=Duration::from_hours(24);
        let span = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        span.filter(|span| allowed.contains(span))
            .ok_or(Expected("a duration from 1ms to 24h, such as \"250ms\", \"30s\" or \"5m\""))
    }
}

/// Reads an address to listen on; a host name is looked up once, at start.
impl Setting for SocketAddr {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let looked_up = |text: &str| text.parse().ok().or_else(|| text.to_socket_addrs().ok()?.next());
        value.as_str().and_then(looked_up).ok_or(Expected("an address and a port, such as \"127.0.0.1:8080\""))
    }
}

impl Setting for Url {
    type Err = Expected;
    /// The address may hold a password.
    const SECRET: bool = true;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let url = value.as_str().and_then(|text| Url::parse(text).ok());
        url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
            .ok_or(Expected("an address that starts with https:// or http://"))
    }
}

impl Setting for PathBuf {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        String::parse(value).map(Into::into).map_err(|_| Expected("a path"))
    }
}

impl Setting for SecretString {
    type Err = Expected;
    const SECRET: bool = true;

    fn parse(value: &Value) -> Result<Self, Expected> {
        // A variable may have been filled from a file with a byte order mark.
        parse_trimmed(trim_byte_order_mark(value.as_str().ok_or(TEXT)?.trim())).map(Into::into)
    }
}

/// Reads a TOML array, or a text as an environment variable has it: a JSON array, or items separated by commas.
impl Setting for Vec<String> {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let items = match value {
            Value::Array(items) => items.iter().map(String::parse).collect::<Result<Self, _>>().ok(),
            Value::String(text) if text.trim_start().starts_with('[') => {
                let items = serde_json::from_str::<Self>(text).ok();
                items.and_then(|items| items.iter().map(|text| parse_trimmed(text).ok()).collect())
            }
            Value::String(text) => text.split(',').map(|text| parse_trimmed(text).ok()).collect(),
            _ => None,
        };
        items.ok_or(Expected(
            "a list of strings, such as [\"a\", \"b\"]; in a variable a,b or the JSON array [\"a\", \"b\"]",
        ))
    }
}

/// Reads addresses or networks; an address is a network of one.
impl Setting for Vec<IpNet> {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let network = |text: &String| text.parse().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
        let networks = Vec::<String>::parse(value).ok().and_then(|texts| texts.iter().map(network).collect());
        networks.ok_or(Expected(
            "a list of addresses or networks, such as [\"10.0.0.0/8\", \"::1\"]; in a variable 10.0.0.0/8,::1 or that \
             list as JSON",
        ))
    }
}
