//! The differences of providers from OpenAI on the wire, and presets for known providers. docs/providers.md has the
//! sources.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, HeaderName};
use toml::Value;

use super::reader::Section;
use super::value::Setting;

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

const USUAL_PATH: &str = "/audio/{task}";

/// The headers that the gateway or HTTP needs for another purpose.
const TAKEN: [&str; 8] = [
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-client-request-id",
    "transfer-encoding",
];

/// A provider whose differences are known: `preset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Preset {
    #[default]
    OpenAi,
    Azure,
    Groq,
    Mistral,
    Speaches,
    LocalAi,
    Vllm,
    WhisperCpp,
}

const PRESETS: [(&str, Preset); 8] = [
    ("openai", Preset::OpenAi),
    ("azure", Preset::Azure),
    ("groq", Preset::Groq),
    ("mistral", Preset::Mistral),
    ("speaches", Preset::Speaches),
    ("localai", Preset::LocalAi),
    ("vllm", Preset::Vllm),
    ("whisper.cpp", Preset::WhisperCpp),
];

impl Setting for Preset {
    const TAKES: &'static str =
        "one of \"openai\", \"azure\", \"groq\", \"mistral\", \"speaches\", \"localai\", \"vllm\", \"whisper.cpp\"";

    fn parse(value: &Value) -> Option<Self> {
        let word = value.as_str()?;
        PRESETS.into_iter().find(|(name, _)| *name == word).map(|(_, preset)| preset)
    }
}

impl Setting for HeaderName {
    const TAKES: &'static str = "the name of a header, such as \"api-key\"";

    fn parse(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

/// The API of OpenAI.
impl Default for ProviderApi {
    fn default() -> Self {
        Self {
            auth_header: AUTHORIZATION,
            path: USUAL_PATH.to_owned(),
            query: None,
            check_path: "/models".to_owned(),
            list_brackets: true,
            omit: Vec::new(),
            fields: BTreeMap::new(),
            translation_fields: BTreeMap::new(),
        }
    }
}

impl Preset {
    /// Returns the address, if it is the same for all customers.
    pub(super) const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Mistral => Some("https://api.mistral.ai/v1"),
            Self::Azure | Self::Speaches | Self::LocalAi | Self::Vllm | Self::WhisperCpp => None,
        }
    }

    fn wire(self) -> ProviderApi {
        let usual = ProviderApi::default();
        match self {
            Self::OpenAi | Self::Groq | Self::Speaches | Self::LocalAi | Self::Vllm => usual,
            // The model is a deployment, named in the path.
            Self::Azure => ProviderApi {
                auth_header: HeaderName::from_static("api-key"),
                path: "/openai/deployments/{model}/audio/{task}".to_owned(),
                query: Some("api-version=2024-10-21".to_owned()),
                check_path: "/openai/models".to_owned(),
                ..usual
            },
            // Its documentation has no response_format: the answer is always JSON.
            Self::Mistral => ProviderApi { list_brackets: false, omit: vec!["response_format".to_owned()], ..usual },
            // One path serves both tasks, and the model is fixed when the server starts.
            Self::WhisperCpp => ProviderApi {
                path: "/inference".to_owned(),
                check_path: "/health".to_owned(),
                omit: vec!["model".to_owned()],
                translation_fields: BTreeMap::from([("translate".to_owned(), "true".to_owned())]),
                ..usual
            },
        }
    }
}

impl ProviderApi {
    /// Reads the settings over those of the preset.
    pub(super) fn read(section: &mut Section, preset: Preset) -> Self {
        let preset = preset.wire();
        let wire = Self {
            auth_header: section.value("auth_header", preset.auth_header),
            path: section.value("path", preset.path),
            query: section.optional("query").or(preset.query),
            check_path: section.value("check_path", preset.check_path),
            list_brackets: section.value("list_brackets", preset.list_brackets),
            omit: section.value("omit", preset.omit),
            fields: section.texts("fields").unwrap_or(preset.fields),
            translation_fields: section.texts("translation_fields").unwrap_or(preset.translation_fields),
        };
        wire.check(section);
        wire
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
        if TAKEN.contains(&self.auth_header.as_str()) {
            section.problem("auth_header", format!("\"{}\" is sent for another purpose", self.auth_header));
        }
    }

    /// True if requests go to OpenAI's paths, below `/v1`.
    pub(super) fn has_usual_path(&self) -> bool {
        self.path == USUAL_PATH
    }
}
