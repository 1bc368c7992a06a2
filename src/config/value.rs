//! The notation of each kind of setting, in TOML or as the text of an environment variable.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use toml::Value;
use url::Url;

use crate::domain::NanoUsd;

/// A kind of setting.
pub(super) trait Setting: Sized {
    /// The allowed values, as the end of the sentence "takes …".
    const TAKES: &'static str;
    /// True if messages must not show a wrong value.
    const SECRET: bool = false;

    fn parse(value: &Value) -> Option<Self>;
}

impl Setting for String {
    const TAKES: &'static str = "a non-empty string";

    fn parse(value: &Value) -> Option<Self> {
        value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl Setting for bool {
    const TAKES: &'static str = "true or false";

    fn parse(value: &Value) -> Option<Self> {
        value.as_bool().or_else(|| value.as_str()?.parse().ok())
    }
}

impl Setting for u64 {
    const TAKES: &'static str = "a whole number, 0 or more";

    fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Self::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl Setting for usize {
    const TAKES: &'static str = "a whole number, 0 or more";

    fn parse(value: &Value) -> Option<Self> {
        u64::parse(value).and_then(|number| Self::try_from(number).ok())
    }
}

/// Reads an amount from text, since a TOML float would not be exact; whole dollars may also be a number.
impl Setting for NanoUsd {
    const TAKES: &'static str =
        "US dollars as a text, from \"0\" to \"9000000\" with up to 9 decimals, such as \"0.0045\"";

    fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(dollars) => dollars.to_string().parse().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// Reads a duration of at least one millisecond and at most a day.
impl Setting for Duration {
    const TAKES: &'static str = "a duration from 1ms to 24h, such as \"250ms\", \"30s\" or \"5m\"";

    fn parse(value: &Value) -> Option<Self> {
        let span = humantime::parse_duration(value.as_str()?).ok()?;
        (Duration::from_millis(1)..=Duration::from_hours(24)).contains(&span).then_some(span)
    }
}

/// Reads an address to listen on; a host name is looked up once, at start.
impl Setting for SocketAddr {
    const TAKES: &'static str = "an address and a port, such as \"127.0.0.1:8080\"";

    fn parse(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        text.parse().ok().or_else(|| text.to_socket_addrs().ok()?.next())
    }
}

impl Setting for Url {
    const TAKES: &'static str = "an address that starts with https:// or http://";
    /// The address may hold a password.
    const SECRET: bool = true;

    fn parse(value: &Value) -> Option<Self> {
        let url = Url::parse(value.as_str()?).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.host().is_some()).then_some(url)
    }
}

impl Setting for PathBuf {
    const TAKES: &'static str = "a path";

    fn parse(value: &Value) -> Option<Self> {
        String::parse(value).map(Into::into)
    }
}

impl Setting for SecretString {
    const TAKES: &'static str = "a non-empty string";
    const SECRET: bool = true;

    fn parse(value: &Value) -> Option<Self> {
        // A variable may have been filled from a file with a byte order mark.
        let text = value.as_str()?.trim().trim_start_matches('\u{feff}');
        String::parse(&Value::String(text.to_owned())).map(Into::into)
    }
}

/// Reads a TOML array, or a text as an environment variable has it: a JSON array, or items separated by commas.
impl Setting for Vec<String> {
    const TAKES: &'static str =
        "a list of strings, such as [\"a\", \"b\"]; in a variable a,b or the JSON array [\"a\", \"b\"]";

    fn parse(value: &Value) -> Option<Self> {
        let item = |text: &str| String::parse(&Value::String(text.to_owned()));
        match value {
            Value::Array(items) => items.iter().map(String::parse).collect(),
            Value::String(text) if text.trim_start().starts_with('[') => {
                serde_json::from_str::<Self>(text).ok()?.iter().map(|text| item(text)).collect()
            }
            Value::String(text) => text.split(',').map(item).collect(),
            _ => None,
        }
    }
}

/// Reads addresses or networks; an address is a network of one.
impl Setting for Vec<IpNet> {
    const TAKES: &'static str = "a list of addresses or networks, such as [\"10.0.0.0/8\", \"::1\"]; in a variable \
                                 10.0.0.0/8,::1 or that list as JSON";

    fn parse(value: &Value) -> Option<Self> {
        let texts = Vec::<String>::parse(value)?;
        texts.iter().map(|text| text.parse().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.into()))).collect()
    }
}
