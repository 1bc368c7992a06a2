//! The options of a request in one normal form, for every body form.
//!
//! Options that the gateway knows are parsed and checked here as far as possible without knowing the model. Unknown
//! options are kept as they came and sent on: OpenAI adds fields.

use std::fmt;

use super::fields::base_name;
use super::option_error::OptionError;
use super::values::{
    check_member, is_word, one_line, parse_format, parse_granularity, parse_keyword, parse_language, parse_reference,
    parse_stream, parse_temperature, shown,
};
use crate::domain::OptionName;
use crate::domain::terms::Format;

/// The bounds of options that are one line.
const MAX_MODEL_BYTES: usize = 256;
const MAX_INCLUDE_BYTES: usize = 64;
const MAX_SPEAKER_NAME_BYTES: usize = 256;

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

/// Returns true if the gateway knows an option of this name.
pub(super) fn is_option(base: &str) -> bool {
    base.parse::<OptionName>().is_ok()
}

/// `chunking_strategy`
#[derive(Clone, PartialEq, Eq)]
pub enum Chunking {
    /// A single word: `auto`.
    Named(String),
    /// The members of an object such as `{"type": "server_vad", …}`, each with its name and its text.
    Object(Vec<(String, String)>),
}

impl Options {
    /// Parses fields by their names on the wire: repeated `include[]`, `chunking_strategy[type]`, and so on.
    pub fn parse(pairs: Vec<(String, String)>) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for (name, value) in without_blank(pairs) {
            let Ok(option) = base_name(&name).parse::<OptionName>() else {
                options.others.push((name, value));
                continue;
            };
            if option.is_single() && name != option.as_str() {
                let got = "a list or an object".to_owned();
                return Err(OptionError::Invalid { name: option.as_str(), got, allowed: "It is one value.".into() });
            }
            options.add(option, &name, value)?;
        }
        options.check()?;
        Ok(options)
    }

    /// Adds a value of an option, which came under `name`.
    fn add(&mut self, option: OptionName, name: &str, value: String) -> Result<(), OptionError> {
        use OptionName as O;
        let base = option.as_str();
        match option {
            O::Model => once(&mut self.model, base, one_line(base, value, MAX_MODEL_BYTES)?)?,
            O::ResponseFormat => once(&mut self.format, base, parse_format(&value)?)?,
            O::Stream => once(&mut self.stream, base, parse_stream(&value)?)?,
            O::Language => once(&mut self.language, base, parse_language(base, value)?)?,
            O::Prompt => once(&mut self.prompt, base, value)?,
            O::Temperature => once(&mut self.temperature, base, parse_temperature(&value)?)?,
            O::ChunkingStrategy => self.add_chunking(name, value)?,
            O::Languages => self.languages.push(parse_language(base, value)?),
            O::Keywords => self.keywords.push(parse_keyword(value)?),
            O::Include => self.include.push(one_line(base, value, MAX_INCLUDE_BYTES)?),
            O::TimestampGranularities => self.granularities.push(parse_granularity(value)?),
            O::KnownSpeakerNames => self.speaker_names.push(one_line(base, value, MAX_SPEAKER_NAME_BYTES)?),
            O::KnownSpeakerReferences => self.speaker_references.push(parse_reference(&value)?),
        }
        Ok(())
    }

    /// Returns true if the client wants the response as a stream of events.
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Returns `response_format`, or OpenAI's default if it is absent.
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::Json)
    }

    /// Returns the given options that not every model supports.
    pub fn given(&self) -> impl Iterator<Item = OptionName> {
        let all = OptionName::ALL.iter().copied();
        all.filter(|option| option.depends_on_model() && self.has(*option))
    }

    /// Returns true if the option was given.
    fn has(&self, option: OptionName) -> bool {
        use OptionName as O;
        match option {
            O::Model => self.model.is_some(),
            O::ResponseFormat => self.format.is_some(),
            O::Stream => self.stream.is_some(),
            O::Language => self.language.is_some(),
            O::Languages => !self.languages.is_empty(),
            O::Keywords => !self.keywords.is_empty(),
            O::Prompt => self.prompt.is_some(),
            O::Temperature => self.temperature.is_some(),
            O::Include => !self.include.is_empty(),
            O::TimestampGranularities => !self.granularities.is_empty(),
            O::ChunkingStrategy => self.chunking.is_some(),
            O::KnownSpeakerNames => !self.speaker_names.is_empty(),
            O::KnownSpeakerReferences => !self.speaker_references.is_empty(),
        }
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
        use OptionName as O;
        let mut fields = Vec::new();
        let mut one = |option: OptionName, value: Option<&str>| {
            fields.extend(value.map(|value| (option.to_string(), value.to_owned())));
        };
        one(O::ResponseFormat, self.format.map(Format::as_str));
        one(O::Language, self.language.as_deref());
        one(O::Prompt, self.prompt.as_deref());
        one(O::Temperature, self.temperature.as_deref());
        let mut many = |option: OptionName, values: &[String]| {
            fields.extend(values.iter().map(|value| (format!("{option}[]"), value.clone())));
        };
        many(O::Languages, &self.languages);
        many(O::Keywords, &self.keywords);
        many(O::Include, &self.include);
        many(O::TimestampGranularities, &self.granularities);
        many(O::KnownSpeakerNames, &self.speaker_names);
        many(O::KnownSpeakerReferences, &self.speaker_references);
        let chunking = O::ChunkingStrategy;
        match &self.chunking {
            None => {}
            Some(Chunking::Named(name)) => fields.push((chunking.to_string(), name.clone())),
            Some(Chunking::Object(members)) => {
                let member = |(name, value): &(String, String)| (format!("{chunking}[{name}]"), value.clone());
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
        let invalid = || OptionError::Invalid { name: NAME, got: shown(&value), allowed: ALLOWED.into() };
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
            let allowed = "It needs response_format 'verbose_json'.".into();
            return Err(OptionError::Invalid { name: "timestamp_granularities", got, allowed });
        }
        if self.include.iter().any(|item| item == "logprobs") && self.format() != Format::Json {
            let got = format!("'logprobs' came with response_format '{}'", self.format());
            return Err(OptionError::Invalid {
                name: "include",
                got,
                allowed: "It needs response_format 'json'.".into(),
            });
        }
        if let Some(Chunking::Object(members)) = &self.chunking
            && !members.iter().any(|(name, _)| name == "type")
        {
            let got = "an object without 'type'".to_owned();
            return Err(OptionError::Invalid {
                name: "chunking_strategy",
                got,
                allowed: "Its type is 'server_vad'.".into(),
            });
        }
        for (name, count) in [
            ("known_speaker_names", self.speaker_names.len()),
            ("known_speaker_references", self.speaker_references.len()),
        ] {
            if count > 4 {
                return Err(OptionError::Invalid { name, got: format!("{count} of them"), allowed: SPEAKERS.into() });
            }
        }
        if self.speaker_names.len() != self.speaker_references.len() {
            let got = format!("{} names, {} references", self.speaker_names.len(), self.speaker_references.len());
            return Err(OptionError::Invalid { name: "known_speaker_references", got, allowed: SPEAKERS.into() });
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
    let known = |name: &str| base_name(name).parse::<OptionName>().ok();
    // Of a paired list that has any item, an empty item counts: without it the following items would go to other speakers.
    let paired = pairs.iter().filter(|(_, value)| !is_blank(value)).filter_map(|(name, _)| known(name));
    let paired: Vec<_> = paired.filter(|option| option.is_paired()).collect();
    pairs
        .into_iter()
        .filter(move |(name, value)| !is_blank(value) || known(name).is_none_or(|option| paired.contains(&option)))
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
