//! `[upstream]`, `[relay]` and `[providers]`: who does the work, and how long they may take.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::reader::Section;
use super::secret;

/// `[upstream]`
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Reaching the provider; 5s.
    pub connect_timeout: Duration,
    /// Having the whole answer; 10m.
    pub response_timeout: Duration,
    /// The longest silence while the answer is read; 2m.
    pub idle_timeout: Duration,
    /// How long an idle connection is kept; 90s.
    pub pool_idle_timeout: Duration,
    /// The largest answer that is no stream, in bytes; 16777216.
    pub max_answer_bytes: usize,
}

impl Upstream {
    pub(super) fn read(mut section: Section) -> Self {
        let settings = Self {
            connect_timeout: section.value("connect_timeout", Duration::from_secs(5)),
            response_timeout: section.value("response_timeout", Duration::from_mins(10)),
            idle_timeout: section.value("idle_timeout", Duration::from_mins(2)),
            pool_idle_timeout: section.value("pool_idle_timeout", Duration::from_secs(90)),
            max_answer_bytes: section.value("max_answer_bytes", 16_777_216),
        };
        section.finish();
        settings
    }
}

/// `[relay]`
#[derive(Debug, Clone)]
pub struct Relay {
    /// The silence after which a comment line is sent on a stream; 15s.
    pub keep_alive: Duration,
    /// The largest event that a provider may send, in bytes; 8388608.
    pub max_event_bytes: usize,
}

impl Relay {
    pub(super) fn read(mut section: Section) -> Self {
        let settings = Self {
            keep_alive: section.value("keep_alive", Duration::from_secs(15)),
            max_event_bytes: section.value("max_event_bytes", 8_388_608),
        };
        section.finish();
        settings
    }
}

/// The name of the provider that is there without being configured.
pub const OPENAI: &str = "openai";

/// `[providers.NAME]`: someone who speaks OpenAI's protocol.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its key in the settings.
    pub name: String,
    /// Its address, up to and with `/v1`, without a slash at the end.
    pub base_url: Url,
    /// The key that it is asked with; some self-hosted servers want none.
    pub api_key: Option<SecretString>,
    /// `OpenAI-Organization`
    pub organization: Option<String>,
    /// `OpenAI-Project`
    pub project: Option<String>,
}

/// Reads the providers; `openai` is always among them.
pub(super) fn read_providers(root: &mut Section) -> BTreeMap<String, Provider> {
    let mut sections = root.named_sections("providers");
    if !sections.iter().any(|(name, _)| name == OPENAI) {
        sections.push((OPENAI.to_owned(), root.empty_child("providers.openai")));
    }
    sections.into_iter().filter_map(|(name, section)| Some((name.clone(), read_provider(name, section)?))).collect()
}

fn read_provider(name: String, mut section: Section) -> Option<Provider> {
    let fallback = (name == OPENAI).then(|| Url::parse("https://api.openai.com/v1").ok()).flatten();
    let given = section.contains("base_url");
    let base_url = section.optional::<Url>("base_url").or(fallback).map(without_slash);
    if base_url.is_none() && !given {
        section.problem("base_url", "is required: the provider's address, which usually ends in /v1");
    }
    if let Some(url) = &base_url
        && (url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some())
    {
        section.problem("base_url", "takes an address without user, password, query or fragment");
    }
    if base_url.as_ref().is_some_and(|url| url.path() == "/") {
        section.problem("base_url", "has no path; it usually ends in /v1");
    }
    let api_key = secret::read(&mut section, "api_key", "api_key_file");
    if let Some(key) = &api_key {
        check_key(&section, key);
    }
    let organization = section.optional("organization");
    let project = section.optional("project");
    for (key, value) in [("organization", &organization), ("project", &project)] {
        if value.as_deref().is_some_and(|text: &str| !text.bytes().all(|byte| byte.is_ascii_graphic())) {
            section.problem(key, "takes letters, digits and signs of ASCII, since it is sent as a header");
        }
    }
    section.finish();
    Some(Provider { name, base_url: base_url?, api_key, organization, project })
}

fn without_slash(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

/// A key is sent in a header, where a line break or a letter beyond ASCII cannot stand.
fn check_key(section: &Section, key: &SecretString) {
    if !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        section.problem("api_key", "takes one word of ASCII letters, digits and signs; what came has something else");
    }
}
