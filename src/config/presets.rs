//! The providers whose differences from OpenAI are known. docs/providers.md has the sources.

use toml::Value;

use super::value::{Setting, TextError};
use crate::domain::{FileFormat, UnknownVariant};

/// The path of a provider with OpenAI's paths.
pub(super) const OPENAI_PATH: &str = "/audio/{task}";

/// A known provider: a value of `preset`, and the defaults of the other keys of its table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// The address, if it is the same for all customers.
    pub(super) base_url: Option<&'static str>,
    pub(super) auth_header: &'static str,
    pub(super) path: &'static str,
    pub(super) query: Option<&'static str>,
    pub(super) check_path: &'static str,
    pub(super) list_brackets: bool,
    pub(super) omit: &'static [&'static str],
    pub(super) translation_fields: &'static [(&'static str, &'static str)],
    /// The file formats that it takes; `None` if that is not known, or depends on the server.
    pub(super) accepts: Option<&'static [FileFormat]>,
    /// The largest file that it takes, if that is known.
    pub(super) max_bytes: Option<u64>,
}

/// OpenAI itself, and the default of every provider.
pub(super) const OPENAI: Preset = Preset {
    name: "openai",
    base_url: Some("https://api.openai.com/v1"),
    auth_header: "authorization",
    path: OPENAI_PATH,
    query: None,
    check_path: "/models",
    list_brackets: true,
    omit: &[],
    translation_fields: &[],
    accepts: Some(OPENAI_ACCEPTS),
    max_bytes: Some(OPENAI_MAX_BYTES),
};

/// The largest file that OpenAI takes: 25 MiB.
pub(super) const OPENAI_MAX_BYTES: u64 = 26_214_400;
/// The file formats that OpenAI lists. MP4 in fragments is not among them: only the first fragment is heard.
const OPENAI_ACCEPTS: &[FileFormat] =
    &[FileFormat::Wav, FileFormat::Mp3, FileFormat::Mp4, FileFormat::Webm, FileFormat::Ogg, FileFormat::Flac];

/// A provider with OpenAI's API at another address.
pub(super) const COMPATIBLE: Preset = Preset { base_url: None, accepts: None, max_bytes: None, ..OPENAI };

/// Every preset. Each needs a section in docs/providers.md.
pub(super) const PRESETS: &[Preset] = &[
    OPENAI,
    // The model is a deployment, named in the path.
    Preset {
        name: "azure",
        auth_header: "api-key",
        path: "/openai/deployments/{model}/audio/{task}",
        query: Some("api-version=2024-10-21"),
        check_path: "/openai/models",
        ..COMPATIBLE
    },
    Preset { name: "groq", base_url: Some("https://api.groq.com/openai/v1"), ..COMPATIBLE },
    // Its documentation has no response_format: the answer is always JSON.
    Preset {
        name: "mistral",
        base_url: Some("https://api.mistral.ai/v1"),
        list_brackets: false,
        omit: &["response_format"],
        ..COMPATIBLE
    },
    Preset { name: "speaches", ..COMPATIBLE },
    Preset { name: "localai", ..COMPATIBLE },
    Preset { name: "vllm", ..COMPATIBLE },
    // One path serves both tasks, and the model is fixed when the server starts.
    Preset {
        name: "whisper.cpp",
        path: "/inference",
        check_path: "/health",
        omit: &["model"],
        translation_fields: &[("translate", "true")],
        // Unless it is started with --convert.
        accepts: Some(&[FileFormat::Wav]),
        ..COMPATIBLE
    },
];

impl Setting for &'static Preset {
    type Err = TextError<UnknownVariant>;

    fn parse(value: &Value) -> Result<Self, Self::Err> {
        let word = value.as_str().ok_or(TextError::NotText)?;
        let unknown = || TextError::Invalid(UnknownVariant::among(PRESETS.iter().map(|preset| preset.name)));
        PRESETS.iter().find(|preset| preset.name == word).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_name_every_preset() {
        let pages = [include_str!("../../docs/providers.md"), include_str!("../../README.md")];
        for preset in PRESETS.iter().filter(|preset| **preset != OPENAI) {
            assert!(
                pages[0].contains(&format!("preset = \"{}\"\n", preset.name)),
                "{}: docs/providers.md",
                preset.name
            );
            assert!(pages[1].contains(preset.name), "{}: README.md", preset.name);
        }
        let written = pages[0].split("\npreset = \"").skip(1).filter_map(|rest| rest.split('"').next());
        for name in written {
            assert!(PRESETS.iter().any(|preset| preset.name == name), "docs/providers.md has a preset {name}");
        }
    }
}
