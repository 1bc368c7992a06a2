//! The options of a request in one normal form, for every body form.
//!
//! Options that the gateway knows are parsed and checked here as far as possible without knowing the model. Unknown
//! options are kept as they came and sent on: OpenAI adds fields.

use std::fmt;

use super::fields::base_name;
use super::values::{
    check_member, is_word, one_line, parse_format, parse_granularity, parse_keyword, parse_language, parse_reference,
    parse_stream, parse_temperature, shown,
};
use crate::domain::terms::Format;

/// The options of a request. `openapi.yaml` documents their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `model`; if absent, the default model is used.
    pub model: Option<String>,
    /// `response_format`
    pub format: Option<Format>,
    /// `stream`; if absent, the request's `Accept` decides.
    pub stream: Option<bool>,
    /// `language`
    pub language: Option<String>,
    /// `languages[]`
    pub languages: Vec<String>,
    /// `keywords[]`
    pub keywords: Vec<String>,
    /// `prompt`
    pub prompt: Option<String>,
    /// `temperature`, as the client wrote it.
    pub temperature: Option<String>,
    /// `include[]`
    pub include: Vec<String>,
    /// `timestamp_granularities[]`
    pub granularities: Vec<String>,
    /// `chunking_strategy`
    pub chunking: Option<Chunking>,
    /// `known_speaker_names[]`
    pub speaker_names: Vec<String>,
    /// `known_speaker_references[]`: data URLs.
    pub speaker_references: Vec<String>,
    /// Unknown options, by their full names.
    pub others: Vec<(String, String)>,
}

/// The options with a single value.
const SINGLE: [&str; 6] = ["model", "response_format", "stream", "language", "prompt", "temperature"];

/// The options that are lists or objects.
const COMPOUND: [&str; 7] = [
    "languages",
    "keywords",
    "include",
    "timestamp_granularities",
    "chunking_strategy",
    "known_speaker_names",
    "known_speaker_references",
];

/// The lists whose items belong together by their positions. An empty item counts: without it the following items would
/// go to other speakers.
const PAIRED: [&str; 2] = ["known_speaker_names", "known_speaker_references"];

/// Returns true if the gateway knows an option of this name.
pub(super) fn is_option(base: &str) -> bool {
    SINGLE.contains(&base) || COMPOUND.contains(&base)
}

/// `chunking_strategy`
#[derive(Clone, PartialEq, Eq)]
pub enum Chunking {
    /// A single word: `auto`.
    Named(String),
    /// The members of an object such as `{"type": "server_vad", …}`, each with its name and its text.
    Object(Vec<(String, String)>),
}

/// An error in an option.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionError {
    /// The value is not allowed.
    #[error("Invalid value for '{name}': {got}. {allowed}")]
    Invalid {
        /// The option's name.
        name: &'static str,
        /// The received value, for people.
        got: String,
        /// The allowed values, as a sentence.
        allowed: &'static str,
    },
    /// An option that may be given only once came again.
    #[error("'{name}' was given more than once.")]
    Repeated {
        /// The option's name.
        name: &'static str,
    },
    /// Two options that exclude each other.
    #[error("'{name}' cannot be used together with '{with}'.")]
    Conflict {
        /// The option to leave out.
        name: &'static str,
        /// The other option.
        with: &'static str,
    },
}

impl OptionError {
    /// Returns the name of the invalid option.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid { name, .. } | Self::Repeated { name } | Self::Conflict { name, .. } => name,
        }
    }
}

impl Options {
    /// Parses fields by their names on the wire: repeated `include[]`, `chunking_strategy[type]`, and so on.
    pub fn parse(pairs: Vec<(String, String)>) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for (name, value) in without_blank(pairs) {
            let base = base_name(&name);
            if let Some(single) = SINGLE.into_iter().find(|single| *single == base && name != base) {
                let got = "a list or an object".to_owned();
                return Err(OptionError::Invalid { name: single, got, allowed: "It is one value." });
            }
            match base {
                "model" => once(&mut options.model, "model", one_line("model", value, 256)?)?,
                "response_format" => once(&mut options.format, "response_format", parse_format(&value)?)?,
                "stream" => once(&mut options.stream, "stream", parse_stream(&value)?)?,
                "language" => once(&mut options.language, "language", parse_language("language", value)?)?,
                "languages" => options.languages.push(parse_language("languages", value)?),
                "keywords" => options.keywords.push(parse_keyword(value)?),
                "prompt" => once(&mut options.prompt, "prompt", value)?,
                "temperature" => once(&mut options.temperature, "temperature", parse_temperature(&value)?)?,
                "include" => options.include.push(one_line("include", value, 64)?),
                "timestamp_granularities" => options.granularities.push(parse_granularity(value)?),
                "chunking_strategy" => options.add_chunking(&name, value)?,
                "known_speaker_names" => options.speaker_names.push(one_line("known_speaker_names", value, 256)?),
                "known_speaker_references" => options.speaker_references.push(parse_reference(&value)?),
                _ => options.others.push((name, value)),
            }
        }
        options.check()?;
        Ok(options)
    }

    /// Returns true if the client wants the response as a stream of events.
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Returns `response_format`, or OpenAI's default if it is absent.
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::Json)
    }

    /// Returns the names of the given options that not every model supports.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("language", self.language.is_some()),
            ("languages", !self.languages.is_empty()),
            ("keywords", !self.keywords.is_empty()),
            ("prompt", self.prompt.is_some()),
            ("temperature", self.temperature.is_some()),
            ("include", !self.include.is_empty()),
            ("timestamp_granularities", !self.granularities.is_empty()),
            ("chunking_strategy", self.chunking.is_some()),
            ("known_speaker_names", !self.speaker_names.is_empty()),
            ("known_speaker_references", !self.speaker_references.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
    }

    /// Returns the bytes of text that a provider may bill: the prompt, the hints, and unknown options.
    pub fn text_bytes(&self) -> u64 {
        let hints = [&self.keywords, &self.speaker_names].into_iter().flatten().chain(&self.prompt);
        let others = self.others.iter().map(|(_, value)| value.len());
        let bytes = hints.map(String::len).chain(others).fold(0_usize, usize::saturating_add);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Returns all options except the model and `stream`, as the fields of OpenAI's form.
    pub fn form_fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut one = |name: &str, value: &Option<String>| {
            fields.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
        };
        one("response_format", &self.format.map(|format| format.to_string()));
        one("language", &self.language);
        one("prompt", &self.prompt);
        one("temperature", &self.temperature);
        let mut many = |name: &str, values: &[String]| {
            fields.extend(values.iter().map(|value| (name.to_owned(), value.clone())));
        };
        many("languages[]", &self.languages);
        many("keywords[]", &self.keywords);
        many("include[]", &self.include);
        many("timestamp_granularities[]", &self.granularities);
        many("known_speaker_names[]", &self.speaker_names);
        many("known_speaker_references[]", &self.speaker_references);
        match &self.chunking {
            None => {}
            Some(Chunking::Named(name)) => fields.push(("chunking_strategy".to_owned(), name.clone())),
            Some(Chunking::Object(members)) => {
                let member = |(name, value): &(String, String)| (format!("chunking_strategy[{name}]"), value.clone());
                fields.extend(members.iter().map(member));
            }
        }
        fields.extend(self.others.iter().cloned());
        fields
    }

    /// Adds a part of `chunking_strategy`. It comes as `auto`, as a JSON object in one field (go-openai), or as one
    /// field for each member (the official SDKs).
    fn add_chunking(&mut self, name: &str, value: String) -> Result<(), OptionError> {
        const NAME: &str = "chunking_strategy";
        const ALLOWED: &str =
            "Use \"auto\" or {\"type\": \"server_vad\"} with prefix_padding_ms, silence_duration_ms or threshold.";
        let invalid = || OptionError::Invalid { name: NAME, got: shown(&value), allowed: ALLOWED };
        if let Some(member) = name.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('[')) {
            let member = member.strip_suffix(']').filter(|member| is_word(member)).ok_or_else(invalid)?;
            check_member(member, &value).ok_or_else(invalid)?;
            let entry = (member.to_owned(), value);
            match &mut self.chunking {
                None => self.chunking = Some(Chunking::Object(vec![entry])),
                Some(Chunking::Object(members)) if members.iter().all(|(known, _)| *known != entry.0) => {
                    members.push(entry);
                }
                Some(_) => return Err(OptionError::Repeated { name: NAME }),
            }
            return Ok(());
        }
        if !value.trim_start().starts_with('{') {
            if !is_word(&value) {
                return Err(invalid());
            }
            return once(&mut self.chunking, NAME, Chunking::Named(value));
        }
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&value).map_err(|_| invalid())?;
        let mut members = Vec::new();
        let given = object.into_iter().filter(|(_, value)| value.as_str().is_none_or(|text| !is_blank(text)));
        for (member, value) in given {
            let text = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(flag) => flag.to_string(),
                serde_json::Value::Null => continue,
                serde_json::Value::Array(_) | serde_json::Value::Object(_) => return Err(invalid()),
            };
            if !is_word(&member) {
                return Err(invalid());
            }
            check_member(&member, &text).ok_or_else(invalid)?;
            members.push((member, text));
        }
        // An empty object counts as an absent value, like an empty text.
        if members.is_empty() { Ok(()) } else { once(&mut self.chunking, NAME, Chunking::Object(members)) }
    }

    fn check(&self) -> Result<(), OptionError> {
        const SPEAKERS: &str = "At most 4 speakers are allowed, each with a name and a reference.";
        if self.language.is_some() && !self.languages.is_empty() {
            return Err(OptionError::Conflict { name: "languages", with: "language" });
        }
        if !self.granularities.is_empty() && self.format() != Format::VerboseJson {
            let got = format!("it came with response_format '{}'", self.format());
            let allowed = "It needs response_format 'verbose_json'.";
            return Err(OptionError::Invalid { name: "timestamp_granularities", got, allowed });
        }
        if self.include.iter().any(|item| item == "logprobs") && self.format() != Format::Json {
            let got = format!("'logprobs' came with response_format '{}'", self.format());
            return Err(OptionError::Invalid { name: "include", got, allowed: "It needs response_format 'json'." });
        }
        if let Some(Chunking::Object(members)) = &self.chunking
            && !members.iter().any(|(name, _)| name == "type")
        {
            let got = "an object without 'type'".to_owned();
            return Err(OptionError::Invalid { name: "chunking_strategy", got, allowed: "Its type is 'server_vad'." });
        }
        for (name, count) in [
            ("known_speaker_names", self.speaker_names.len()),
            ("known_speaker_references", self.speaker_references.len()),
        ] {
            if count > 4 {
                return Err(OptionError::Invalid { name, got: format!("{count} of them"), allowed: SPEAKERS });
            }
        }
        if self.speaker_names.len() != self.speaker_references.len() {
            let got = format!("{} names, {} references", self.speaker_names.len(), self.speaker_references.len());
            return Err(OptionError::Invalid { name: "known_speaker_references", got, allowed: SPEAKERS });
        }
        Ok(())
    }
}

/// Shows only the names of the options: prompts, keywords and names are the caller's own words.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Options");
        debug.field("model", &self.model).field("format", &self.format).field("stream", &self.stream);
        debug.field("given", &self.given().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Drops blank options, which count as absent. A form sends each of its inputs, filled or not, and a template sends an
/// empty variable. The rule holds for every option that the gateway knows, alone, in a list or in an object; an unknown
/// option stays as it came.
fn without_blank(pairs: Vec<(String, String)>) -> impl Iterator<Item = (String, String)> {
    let says = |option: &str| pairs.iter().any(|(name, value)| base_name(name) == option && !is_blank(value));
    let paired = PAIRED.map(|option| (option, says(option)));
    pairs.into_iter().filter(move |(name, value)| {
        let base = base_name(name);
        let has_a_place = paired.iter().any(|(option, says)| *option == base && *says);
        !is_blank(value) || !is_option(base) || has_a_place
    })
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), OptionError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(OptionError::Repeated { name }),
    }
}
