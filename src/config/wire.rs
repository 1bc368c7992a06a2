//! The differences of providers from OpenAI on the wire.

use std::collections::BTreeMap;

use reqwest::header::HeaderName;
use toml::Value;

use super::presets::{OPENAI, OPENAI_PATH, Preset};
use super::reader::Section;
use super::value::{Expected, Setting};

/// The differences of a provider from OpenAI on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderApi {
    /// `auth_header`: the header for the key; `authorization` has it as `Bearer KEY`, any other header has the key alone.
    pub auth_header: HeaderName,
    /// `path`: the path after the address; `{task}` is `transcriptions` or `translations`, `{model}` the model's name at
    /// the provider.
    pub path: String,
    /// `query`: the query after the path.
    pub query: Option<String>,
    /// `check_path`: the path that `voxgate check` requests, after the address.
    pub check_path: String,
    /// `list_brackets`: true if the names of lists end in `[]`.
    pub list_brackets: bool,
    /// `omit`: the form's fields that are never sent.
    pub omit: Vec<String>,
    /// `fields`: fields that every form has besides; they replace a client's fields of the same name.
    pub fields: BTreeMap<String, String>,
    /// `translation_fields`: like `fields`, but only for translations.
    pub translation_fields: BTreeMap<String, String>,
}

/// The headers that the gateway or HTTP needs for another purpose.
const RESERVED_HEADERS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-client-request-id",
    "transfer-encoding",
];

impl Setting for HeaderName {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let name = value.as_str().and_then(|name| name.parse().ok());
        name.ok_or(Expected("the name of a header, such as \"api-key\""))
    }
}

/// The API of OpenAI.
impl Default for ProviderApi {
    fn default() -> Self {
        Self::from_preset(&OPENAI)
    }
}

impl ProviderApi {
    fn from_preset(preset: &Preset) -> Self {
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Self {
            auth_header: HeaderName::from_static(preset.auth_header),
            path: preset.path.to_owned(),
            query: preset.query.map(str::to_owned),
            check_path: preset.check_path.to_owned(),
            list_brackets: preset.list_brackets,
            omit: preset.omit.iter().map(|name| (*name).to_owned()).collect(),
            fields: BTreeMap::new(),
            translation_fields: texts(preset.translation_fields),
        }
    }

    /// Reads the settings over those of the preset.
    pub(super) fn read(section: &mut Section, preset: &Preset) -> Self {
        let preset = Self::from_preset(preset);
        let api = Self {
            auth_header: section.value("auth_header", preset.auth_header),
            path: section.value("path", preset.path),
            query: section.optional("query").or(preset.query),
            check_path: section.value("check_path", preset.check_path),
            list_brackets: section.value("list_brackets", preset.list_brackets),
            omit: section.value("omit", preset.omit),
            fields: section.texts("fields").unwrap_or(preset.fields),
            translation_fields: section.texts("translation_fields").unwrap_or(preset.translation_fields),
        };
        api.check(section);
        api
    }

    fn check(&self, section: &Section) {
        for (key, path) in [("path", &self.path), ("check_path", &self.check_path)] {
            if !path.starts_with('/') || path.contains(['?', '#']) || path.bytes().any(|byte| !byte.is_ascii_graphic())
            {
                section.problem(key, "takes a path that starts with a slash, without a query");
            }
        }
        let filled = self.path.replace("{task}", "").replace("{model}", "");
        if filled.contains(['{', '}']) {
            section.problem("path", "has braces around something else than {task} and {model}");
        }
        if self.query.as_ref().is_some_and(|query| query.contains(['?', '#']) || query.contains(' ')) {
            section.problem("query", "takes what follows the question mark, such as \"api-version=2024-10-21\"");
        }
        for (key, fields) in [("fields", &self.fields), ("translation_fields", &self.translation_fields)] {
            // The form is written without escapes, and a setting must not change the fields that it needs.
            let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
            for name in
                fields.keys().filter(|name| !plain(name) || ["file", "model", "stream"].contains(&name.as_str()))
            {
                section.problem(key, format!("\"{name}\" is not a field that can be set here"));
            }
        }
        if self.omit.iter().any(|name| name == "file") {
            section.problem("omit", "names the file, without which there is nothing to do");
        }
        if RESERVED_HEADERS.contains(&self.auth_header.as_str()) {
            section.problem("auth_header", format!("\"{}\" is sent for another purpose", self.auth_header));
        }
    }

    /// True if requests go to OpenAI's paths, below `/v1`.
    pub(super) fn has_openai_path(&self) -> bool {
        self.path == OPENAI_PATH
    }
}
