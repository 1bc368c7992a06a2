//! `[cors]`: pages of which other origins may call the gateway.

use std::time::Duration;

use url::{Host, Url};

use super::reader::Section;

/// `[cors]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins, as browsers write them; none.
    pub origins: Vec<String>,
    /// For how long a browser may remember that it may; 10 minutes.
    pub max_age: Duration,
}

impl Cors {
    pub(super) fn read(mut section: Section) -> Self {
        let origins: Vec<String> = section.value("origins", Vec::new());
        for origin in &origins {
            if let Err(what) = check(origin) {
                section.problem("origins", format!("got \"{origin}\"; {what}"));
            }
        }
        let max_age = section.value("max_age", Duration::from_mins(10));
        section.finish();
        Self { origins, max_age }
    }
}

/// An origin has to be written as browsers write it, since that is what it is compared with.
fn check(origin: &str) -> Result<(), String> {
    const TAKES: &str = "takes origins such as \"https://app.example.com\"";
    if origin.contains('*') || origin == "null" {
        return Err(format!("{TAKES}, each by its name"));
    }
    let parsed = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    let url = parsed.ok_or_else(|| format!("{TAKES}, with https:// or http://"))?;
    let written = url.origin().ascii_serialization();
    if written != origin {
        return Err(format!("{TAKES}; browsers would write \"{written}\""));
    }
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !is_local {
        return Err("what comes over plain http can be anybody's; takes https:// unless it is this machine".to_owned());
    }
    Ok(())
}
