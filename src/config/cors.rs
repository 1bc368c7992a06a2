//! `[cors]`: the other origins whose pages may call the gateway.

use std::net::Ipv6Addr;
use std::time::Duration;

use url::{Host, Url};

use super::reader::Section;
use crate::domain::loopback::is_loopback;

/// `[cors]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins, as browsers write them (RFC 6454 §6.2), of pages, apps and extensions; none.
    pub origins: Vec<String>,
    /// The time that a browser may remember the permission; 10 minutes.
    pub max_age: Duration,
}

impl Cors {
    pub(super) fn read(mut section: Section) -> Self {
        let origins: Vec<String> = section.value("origins", Vec::new());
        for origin in &origins {
            if let Err(error) = check(origin) {
                section.problem("origins", format!("got \"{origin}\"; {error}"));
            }
        }
        let max_age = section.value("max_age", Duration::from_mins(10));
        section.finish();
        Self { origins, max_age }
    }
}

/// The schemes of addresses that no page is loaded from, or whose pages get no separate origin from browsers.
const NO_ORIGIN: [&str; 4] = ["file", "ftp", "ws", "wss"];

/// The reason why a text is not an origin as browsers write it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum OriginError {
    #[error("{TAKES}, each by its name")]
    Wildcard,
    #[error("{TAKES}, with https:// or http:// or the scheme of an app")]
    NoScheme,
    #[error("{TAKES}; browsers give pages of {0}:// no origin of their own")]
    NoOrigin(String),
    #[error("{TAKES}; this is no origin")]
    Invalid,
    #[error("{TAKES}; browsers would write \"{0}\"")]
    WrittenOtherwise(String),
    #[error("what comes over plain http can be anybody's; takes https:// unless it is this machine")]
    PlainHttp,
}

const TAKES: &str = "takes origins such as \"https://app.example.com\" or \"capacitor://localhost\"";

/// Checks that an origin is written as browsers write it (RFC 6454 §6.2), since it is compared with theirs. Besides
/// `https`, the scheme of an app or a browser extension is allowed: only that app loads pages by it.
fn check(origin: &str) -> Result<(), OriginError> {
    if origin.contains('*') || origin == "null" {
        // Every sandboxed frame has the origin `null`, whatever its author.
        return Err(OriginError::Wildcard);
    }
    let (scheme, rest) = origin.split_once("://").ok_or(OriginError::NoScheme)?;
    let lower = scheme.to_ascii_lowercase();
    if NO_ORIGIN.contains(&lower.as_str()) {
        return Err(OriginError::NoOrigin(scheme.to_owned()));
    }
    let written = match lower.as_str() {
        "https" | "http" => Url::parse(origin).ok().map(|url| url.origin().ascii_serialization()),
        other => written_by_an_app(other, rest),
    };
    let written = written.ok_or(OriginError::Invalid)?;
    if written != origin {
        return Err(OriginError::WrittenOtherwise(written));
    }
    if scheme == "http" && !Url::parse(origin).is_ok_and(|url| is_local(&url)) {
        return Err(OriginError::PlainHttp);
    }
    Ok(())
}

/// Returns the origin `scheme://host[:port]` of an address whose scheme belongs to an app or an extension; `None` if it
/// has none. The host stays unchanged: to browsers it is an opaque text, with capitals in `safari-web-extension://`.
fn written_by_an_app(scheme: &str, rest: &str) -> Option<String> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_lowercase()) || !scheme.bytes().all(letter) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port.parse::<u16>().ok()?)),
        _ => (authority, None),
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_host = inner.map_or_else(|| host.bytes().all(plain), |address| address.parse::<Ipv6Addr>().is_ok());
    if host.is_empty() || !is_host {
        return None;
    }
    Some(port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

/// True for this machine. Browsers, unlike other resolvers, never ask anyone for a name below `localhost`.
fn is_local(url: &Url) -> bool {
    url.host()
        .is_some_and(|host| is_loopback(&host) || matches!(host, Host::Domain(name) if name.ends_with(".localhost")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_or_an_extension_has_an_origin_by_its_own_scheme() {
        for origin in [
            "app://obsidian.md",
            "app://.",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
            "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
            "safari-web-extension://0B6E2D8C-9A3F-4E57-8E0B-2F1C3A4D5E6F",
            "vscode-webview://1drnr9ho6i3sqm1vqf0d2t1ub6g2fgbvg1pkj4uv5i3gmoqj5c5j",
            "my.app+x-1://a_b",
            "app://localhost:8080",
            "app://[::1]:8080",
        ] {
            assert_eq!(check(origin), Ok(()), "{origin}");
            // actix-cors accepts only these.
            assert!(origin.parse::<http::Uri>().is_ok(), "{origin}");
        }
    }

    #[test]
    fn an_origin_that_no_page_has_is_refused_with_the_right_one() {
        for (origin, what) in [
            ("app://obsidian.md/", "browsers would write \"app://obsidian.md\""),
            ("app://obsidian.md/index.html", "browsers would write \"app://obsidian.md\""),
            ("App://obsidian.md", "browsers would write \"app://obsidian.md\""),
            ("app://user@obsidian.md", "this is no origin"),
            ("app://a b", "this is no origin"),
            ("app://a:b:1", "this is no origin"),
            ("app://[x]", "this is no origin"),
            ("app://", "this is no origin"),
            ("app://localhost:99999", "this is no origin"),
            ("1app://localhost", "this is no origin"),
            ("app:obsidian.md", "scheme of an app"),
            ("file://", "no origin of their own"),
            ("wss://app.example.com", "no origin of their own"),
            ("chrome-extension://*", "each by its name"),
        ] {
            let refused = check(origin).unwrap_err().to_string();
            assert!(refused.contains(what), "{origin}: {refused}");
        }
    }
}
