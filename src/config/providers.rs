//! `[providers]`: the providers and their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use secrecy::SecretString;
use url::Url;

use super::presets::Preset;
use super::reader::Section;
use super::wire::ProviderApi;
use super::{accepts, presets, secret};
use crate::domain::FileFormat;

/// The name of the provider that exists without being configured.
pub const OPENAI: &str = "openai";

/// The name of a key that is given without one, as `api_key` or `api_key_file`.
const ONLY_KEY: &str = "default";

/// A provider with OpenAI's protocol: `[providers.NAME]`.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The provider's name in the settings.
    pub name: String,
    /// The address, usually up to and with `/v1`, without a slash at the end.
    pub base_url: Url,
    /// The keys; some self-hosted servers need none.
    pub keys: Vec<ProviderKey>,
    /// `OpenAI-Organization`
    pub organization: Option<String>,
    /// `OpenAI-Project`
    pub project: Option<String>,
    /// The differences from OpenAI on the wire.
    pub wire: ProviderApi,
    /// `accepts`: the file formats that it takes; `None`: any.
    pub accepts: Option<BTreeSet<FileFormat>>,
    /// The largest file that it takes, as far as that is known.
    pub max_bytes: Option<u64>,
}

impl Provider {
    /// True if this provider and `other` have the same connection settings and key names, whatever the secrets are.
    pub fn connects_like(&self, other: &Self) -> bool {
        let keys = |provider: &Self| provider.keys.iter().map(|key| (key.name.clone(), key.weight)).collect::<Vec<_>>();
        let without = |provider: &Self| Self { keys: Vec::new(), ..provider.clone() };
        let (mine, others) = (without(self), without(other));
        keys(self) == keys(other)
            && (mine.name, mine.base_url, mine.organization, mine.project, mine.wire)
                == (others.name, others.base_url, others.organization, others.project, others.wire)
    }
}

/// A key of a provider.
#[derive(Debug, Clone)]
pub struct ProviderKey {
    /// The key's name in the log.
    pub name: String,
    /// The secret.
    pub secret: SecretString,
    /// The key's share of the requests.
    pub weight: NonZeroU32,
}

impl ProviderKey {
    /// Creates a key that has no name and is the only one.
    pub fn only(secret: SecretString) -> Self {
        Self { name: ONLY_KEY.to_owned(), secret, weight: NonZeroU32::MIN }
    }
}

/// Reads the providers; `openai` is always among them.
pub(super) fn read_providers(root: &mut Section) -> BTreeMap<String, Provider> {
    let mut sections = root.named_sections("providers");
    if !sections.iter().any(|(name, _)| name == OPENAI) {
        sections.push((OPENAI.to_owned(), root.empty_child("providers.openai")));
    }
    for (name, _) in &sections {
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            root.problem("providers", format!("the name \"{name}\" has more than ASCII letters, digits and signs"));
        }
    }
    sections.into_iter().filter_map(|(name, section)| Some((name.clone(), read_provider(name, section)?))).collect()
}

fn read_provider(name: String, mut section: Section) -> Option<Provider> {
    let given = section.optional::<&Preset>("preset");
    let preset = given.unwrap_or(&presets::OPENAI);
    // The address of a preset applies only if the operator chose the preset; the one exception is OpenAI's own.
    let known = if given.is_some() || name == OPENAI { preset.base_url } else { None };
    // The same goes for the files that a preset takes.
    let files = if given.is_some() || name == OPENAI { preset } else { &presets::COMPATIBLE };
    let wire = ProviderApi::read(&mut section, preset);
    let accepts = accepts::read(&mut section).or_else(|| Some(files.accepts?.iter().copied().collect()));
    let base_url = read_base_url(&mut section, known, &wire);
    let keys = read_keys(&mut section);
    let organization = section.optional("organization");
    let project = section.optional("project");
    for (key, value) in [("organization", &organization), ("project", &project)] {
        if value.as_deref().is_some_and(|text: &str| !text.bytes().all(|byte| byte.is_ascii_graphic())) {
            section.problem(key, "takes letters, digits and signs of ASCII, since it is sent as a header");
        }
    }
    section.finish();
    Some(Provider { name, base_url: base_url?, keys, organization, project, wire, accepts, max_bytes: files.max_bytes })
}

fn read_base_url(section: &mut Section, known: Option<&str>, wire: &ProviderApi) -> Option<Url> {
    let given = section.contains("base_url");
    let base_url = section.optional::<Url>("base_url").or_else(|| Url::parse(known?).ok()).map(without_slash);
    if base_url.is_none() && !given {
        section.problem("base_url", "is required: the provider's address, which usually ends in /v1");
    }
    if let Some(url) = &base_url
        && (url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some())
    {
        section.problem("base_url", "takes an address without user, password, query or fragment");
    }
    // If the settings change the path, the address may have none.
    if base_url.as_ref().is_some_and(|url| url.path() == "/") && wire.has_openai_path() {
        section.problem("base_url", "has no path; it usually ends in /v1");
    }
    base_url
}

fn without_slash(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

/// Reads one key as `api_key` or `api_key_file`, or several as `[[providers.NAME.keys]]`.
fn read_keys(section: &mut Section) -> Vec<ProviderKey> {
    let one = secret::read(section, "api_key", "api_key_file");
    let several: Vec<_> = section.listed_sections("keys").into_iter().filter_map(read_key).collect();
    if let Some(secret) = one {
        check_key(section, &secret);
        if !several.is_empty() {
            section.problem("keys", "api_key or api_key_file is given too; give one key there, or all of them here");
        }
        return vec![ProviderKey::only(secret)];
    }
    let mut names = BTreeSet::new();
    for key in several.iter().filter(|key| !names.insert(&key.name)) {
        section.problem("keys", format!("\"{}\" is the name of two keys", key.name));
    }
    several
}

fn read_key(mut section: Section) -> Option<ProviderKey> {
    let name: Option<String> = section.optional("name");
    if name.is_none() {
        section.problem("name", "is required: what the log calls this key");
    }
    let before = section.contains("api_key") || section.contains("api_key_file");
    let secret = secret::read(&mut section, "api_key", "api_key_file");
    if !before {
        section.problem("api_key", "is required, or api_key_file");
    }
    if let Some(secret) = &secret {
        check_key(&section, secret);
    }
    let weight = section.weight("weight").unwrap_or(NonZeroU32::MIN);
    section.finish();
    Some(ProviderKey { name: name?, secret: secret?, weight })
}

/// Checks that a key can be sent in a header, which allows no line break and no letter beyond ASCII.
fn check_key(section: &Section, secret: &SecretString) {
    if !secret::is_one_word(secret) {
        section.problem("api_key", "takes one word of ASCII letters, digits and signs; what came has something else");
    }
}
