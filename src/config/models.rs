//! `[models]`: the models that clients can name, and their prices. Models are settings, never code.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::str::FromStr;

use toml::{Table, Value};

use super::accepts;
use super::presets::OPENAI_MAX_BYTES;
use super::providers::{OPENAI, Provider};
use super::reader::Section;
use super::value::{Expected, Setting, text_settings};
use crate::domain::terms::{Format, LiveMode, Task, Timestamps};
use crate::domain::{AudioMs, FileFormat, NanoUsd, OptionName, UnknownVariant};
use crate::ledger::{Price, TokenPrice};

/// The largest value of `max_bytes`: a tebibyte, beyond any recording.
const MAX_BYTES: u64 = 1 << 40;
const BUILT_IN: &str = include_str!("models.toml");

/// A model entry: `[models.NAME]`.
#[derive(Debug, Clone)]
pub struct Model {
    /// The model's name for clients.
    pub name: String,
    /// A key of `[providers]`.
    pub provider: String,
    /// The model's name at the provider.
    pub upstream_model: String,
    /// The tasks that it can do.
    pub tasks: Vec<Task>,
    /// The formats that it supports; `None`: any.
    pub formats: Option<Vec<Format>>,
    /// True if the provider can stream it.
    pub streams: bool,
    /// The options that it accepts, among those that the gateway knows; `None`: any.
    pub options: Option<BTreeSet<OptionName>>,
    /// The source of the times in subtitles and in JSON with segments.
    pub timestamps: Timestamps,
    /// The way in which it serves live sessions.
    pub live: LiveMode,
    /// The file formats that it takes; `None`: any.
    pub accepts: Option<BTreeSet<FileFormat>>,
    /// The largest file in bytes.
    pub max_bytes: Option<u64>,
    /// The longest audio.
    pub max_audio: Option<AudioMs>,
    /// The shortest audio.
    pub min_audio: Option<AudioMs>,
    /// True if the settings have an entry for it.
    pub configured: bool,
    /// The price; `None` if it is unknown, in which case the model cannot be used with a budget of money.
    pub price: Option<Price>,
    /// Its share of the first attempts, in proportion to the fallbacks that have a share.
    pub weight: NonZeroU32,
    /// The model entries that replace this one if its provider fails, or share its load.
    pub fallbacks: Vec<Fallback>,
}

/// A fallback of a model entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// A key of `[models]`.
    pub model: String,
    /// Its share of the first attempts; `None` if it is used only after the others have failed.
    pub weight: Option<NonZeroU32>,
}

/// A list of names, or of tables with a weight.
impl Setting for Vec<Fallback> {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let fallbacks = match value {
            Value::Array(items) => items.iter().map(parse_fallback).collect(),
            names => {
                Vec::<String>::parse(names).ok().map(|names| names.into_iter().map(Fallback::unweighted).collect())
            }
        };
        fallbacks.ok_or(Expected(
            "a list of models, such as [\"a\", { model = \"b\", weight = 2 }], with weights from 1 to 1000",
        ))
    }
}

fn parse_fallback(item: &Value) -> Option<Fallback> {
    let Value::Table(table) = item else { return String::parse(item).ok().map(Fallback::unweighted) };
    if table.keys().any(|key| key != "model" && key != "weight") {
        return None;
    }
    let fallback = Fallback::unweighted(String::parse(table.get("model")?).ok()?);
    let Some(weight) = table.get("weight") else { return Some(fallback) };
    let weight = u64::parse(weight).ok().filter(|weight| *weight <= 1000)?;
    Some(Fallback { weight: Some(NonZeroU32::new(u32::try_from(weight).ok()?)?), ..fallback })
}

impl Fallback {
    fn unweighted(model: String) -> Self {
        Self { model, weight: None }
    }
}

text_settings!(LiveMode, Timestamps);

/// The name under which the usage of all models without an entry is counted.
const NOT_CONFIGURED: &str = "*";

impl Model {
    /// Creates an entry for a model that is not configured: nothing is known about it, so the provider decides.
    pub fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            provider: OPENAI.to_owned(),
            upstream_model: name.to_owned(),
            tasks: Task::ALL.to_vec(),
            formats: None,
            streams: true,
            options: None,
            timestamps: Timestamps::Model,
            live: LiveMode::Segments,
            accepts: None,
            max_bytes: Some(OPENAI_MAX_BYTES),
            max_audio: None,
            min_audio: None,
            configured: false,
            price: None,
            weight: NonZeroU32::MIN,
            fallbacks: Vec::new(),
        }
    }

    /// Returns the name under which its monthly usage is counted. Clients can invent any number of names; all models
    /// without an entry are counted as one.
    pub fn counted_as(&self) -> &str {
        if self.configured { &self.name } else { NOT_CONFIGURED }
    }

    fn read(name: String, mut section: Section, providers: &BTreeMap<String, Provider>) -> Self {
        let provider = section.value("provider", OPENAI.to_owned());
        if !providers.contains_key(&provider) {
            let known: Vec<_> = providers.keys().map(String::as_str).collect();
            section.problem("provider", format!("got \"{provider}\"; takes one of: {}", known.join(", ")));
        }
        let at_provider = providers.get(&provider);
        let formats: Option<Vec<Format>> = words(&mut section, "formats");
        let tasks = words(&mut section, "tasks").unwrap_or_else(|| Task::ALL.to_vec());
        let model = Self {
            upstream_model: section.value("upstream_model", name.clone()),
            provider,
            live: read_live(&mut section, &tasks),
            tasks,
            timestamps: read_timestamps(&mut section, formats.as_deref()),
            accepts: accepts::read(&mut section).or_else(|| at_provider?.accepts.clone()),
            max_bytes: section.ranged("max_bytes", 1..=MAX_BYTES).or_else(|| at_provider?.max_bytes),
            formats,
            streams: section.value("streams", true),
            options: read_options(&mut section),
            max_audio: section.optional::<u64>("max_seconds").map(|s| AudioMs::new(s.saturating_mul(1000))),
            min_audio: section.optional::<u64>("min_ms").map(AudioMs::new),
            configured: true,
            price: read_price(&mut section),
            weight: section.weight("weight").unwrap_or(NonZeroU32::MIN),
            fallbacks: section.value("fallbacks", Vec::new()),
            name,
        };
        for (key, empty) in
            [("tasks", model.tasks.is_empty()), ("formats", model.formats.as_ref().is_some_and(Vec::is_empty))]
        {
            if empty {
                section.problem(key, "is empty, so that the model could do nothing; leave it out for all");
            }
        }
        section.finish();
        model
    }
}

/// Reads `timestamps`: where it is left out, the model gives times if it has a format with times.
fn read_timestamps(section: &mut Section, formats: Option<&[Format]>) -> Timestamps {
    let has_times = formats.is_none_or(|formats| formats.iter().any(|format| format.is_timed()));
    section.value("timestamps", if has_times { Timestamps::Model } else { Timestamps::None })
}

/// Reads `live`: where it is left out, a model that transcribes files serves live sessions.
fn read_live(section: &mut Section, tasks: &[Task]) -> LiveMode {
    let transcribes = tasks.contains(&Task::Transcribe);
    let live = section.value("live", if transcribes { LiveMode::Segments } else { LiveMode::None });
    if live == LiveMode::Segments && !transcribes {
        section.problem("live", "got \"segments\" for a model whose tasks do not include \"transcribe\"");
    }
    live
}

/// Reads the price: `usd_per_minute`, and for a model that bills tokens both of its token prices.
fn read_price(section: &mut Section) -> Option<Price> {
    let per_minute: Option<NanoUsd> = section.optional("usd_per_minute");
    let input: Option<NanoUsd> = section.optional("usd_per_million_input_tokens");
    let output: Option<NanoUsd> = section.optional("usd_per_million_output_tokens");
    if input.is_some() != output.is_some() {
        let missing = if input.is_none() { "input" } else { "output" };
        section.problem(&format!("usd_per_million_{missing}_tokens"), "is missing; give the prices of both or of none");
    }
    if per_minute.is_none() && (input.is_some() || output.is_some()) {
        let what = "is missing; it is what is charged before the work is done, when the tokens are not known";
        section.problem("usd_per_minute", what);
    }
    let tokens = input.zip(output).map(|(input, output)| TokenPrice { input, output });
    Some(Price { per_minute: per_minute?, tokens })
}

/// Reads `options`: those that not every model supports.
fn read_options(section: &mut Section) -> Option<BTreeSet<OptionName>> {
    let listable = || OptionName::ALL.iter().filter(|option| option.depends_on_model());
    let names: Vec<String> = section.optional("options")?;
    let mut options = BTreeSet::new();
    for name in names {
        if let Some(option) = listable().find(|option| option.as_str() == name) {
            options.insert(*option);
        } else {
            let error = UnknownVariant::among(listable().map(|option| option.as_str()));
            section.problem("options", format!("got \"{name}\"; {error}"));
        }
    }
    Some(options)
}

/// Reads a list of words, each of which names one `T`.
fn words<T: FromStr<Err: std::fmt::Display>>(section: &mut Section, key: &'static str) -> Option<Vec<T>> {
    let names: Vec<String> = section.optional(key)?;
    let parse =
        |name: String| name.parse().map_err(|error| section.problem(key, format!("got \"{name}\"; {error}"))).ok();
    Some(names.into_iter().filter_map(parse).collect())
}

/// Merges the operator's models into the built-in ones, key by key.
pub(super) fn merge_built_in(root: &mut Table) {
    let Ok(built_in) = BUILT_IN.parse::<Table>() else { return };
    let entry = root.entry("models").or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(models) = entry else { return };
    for (name, row) in built_in {
        match (models.get_mut(&name), row) {
            (Some(Value::Table(given)), Value::Table(row)) => {
                for (key, value) in row {
                    given.entry(key).or_insert(value);
                }
            }
            (Some(_), _) => {}
            (None, row) => {
                models.insert(name, row);
            }
        }
    }
}

pub(super) fn read_models(root: &mut Section, providers: &BTreeMap<String, Provider>) -> BTreeMap<String, Model> {
    let sections = root.named_sections("models");
    let models: BTreeMap<_, _> =
        sections.into_iter().map(|(name, section)| (name.clone(), Model::read(name, section, providers))).collect();
    for model in models.values() {
        check_fallbacks(root, model, &models);
    }
    models
}

/// Checks the fallbacks: each is another model entry, named once. Their fallbacks are not followed, so circles do no
/// harm.
fn check_fallbacks(root: &Section, model: &Model, models: &BTreeMap<String, Model>) {
    let key = format!("models.{}.fallbacks", model.name);
    let mut named = BTreeSet::from([&model.name]);
    for Fallback { model, .. } in &model.fallbacks {
        if !models.contains_key(model) {
            root.problem(&key, format!("\"{model}\" is not a model; add [models.\"{model}\"]"));
        } else if !named.insert(model) {
            root.problem(&key, format!("\"{model}\" is the row itself, or named twice"));
        }
    }
}
