//! `[plans]`: the permissions, rates and budgets of the callers of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::models::Model;
use super::reader::Section;
use super::speech::MAX_RECORDING_SECONDS;
use crate::domain::{AudioMs, NanoUsd};

/// A plan: `[plans.NAME]`. A limit that is left out is unlimited.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    models: Option<BTreeSet<String>>,
    /// `requests_per_minute`, and `burst`: the number of requests that may come at once.
    pub requests: Option<RequestRate>,
    /// `audio_seconds_per_minute`, and `audio_burst_seconds`.
    pub audio: Option<AudioRate>,
    /// `max_concurrent`: the number of requests in flight.
    pub concurrent: Option<NonZeroU32>,
    /// `max_recording_seconds`: the longest recording, 1 s to 24 h.
    pub max_recording: Option<AudioMs>,
    /// `monthly_usd`
    pub monthly_usd: Option<NanoUsd>,
    /// `monthly_audio_minutes`
    pub monthly_audio: Option<AudioMs>,
}

/// The rate of requests. In any 60 seconds at most `per_minute` + `burst` − 1 are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// The number of requests per minute, 1 to 1000000.
    pub per_minute: NonZeroU32,
    /// The number of requests that may come at once, 1 to 1000000; `per_minute` if left out.
    pub burst: NonZeroU32,
}

/// The rate of audio. In any 60 seconds at most `per_minute` + `burst` of it is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioRate {
    /// The audio per minute, 1 s to 1000000 s.
    pub per_minute: AudioMs,
    /// The audio that may come at once, and so the longest recording; `per_minute` if left out, and four hours'
    /// worth at most.
    pub burst: AudioMs,
}

/// The largest rate, burst and number of requests in flight.
const MAX_RATE: u64 = 1_000_000;
/// The largest monthly budget in minutes, some 1900 years: in milliseconds it is still exact as a double.
const MAX_MONTHLY_MINUTES: u64 = 1_000_000_000;
/// The longest burst of audio, in minutes of the rate.
const MAX_BURST_MINUTES: u64 = 240;

impl Plan {
    fn read(mut section: Section, known: &BTreeMap<String, Model>) -> Self {
        let models = section.optional::<Vec<String>>("models");
        for name in models.iter().flatten().filter(|name| *name != "*" && !known.contains_key(*name)) {
            section.problem("models", format!("\"{name}\" is not a model of [models]"));
        }
        let plan = Self {
            models: models.map(|names| names.into_iter().collect()),
            requests: read_requests(&mut section),
            audio: read_audio(&mut section),
            concurrent: count(&mut section, "max_concurrent"),
            max_recording: section
                .ranged("max_recording_seconds", 1..=MAX_RECORDING_SECONDS)
                .map(|seconds| AudioMs::new(seconds * 1000)),
            monthly_usd: section.optional("monthly_usd"),
            monthly_audio: section
                .ranged("monthly_audio_minutes", 0..=MAX_MONTHLY_MINUTES)
                .map(|m| AudioMs::new(m * 60_000)),
        };
        section.finish();
        plan
    }

    /// True if the plan allows a configured model of this name.
    pub fn allows(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(model) || models.contains("*"))
    }

    /// True if the plan allows nothing beyond `other`, neither in kind nor in amount.
    pub fn is_within(&self, other: &Self) -> bool {
        fn fits<T: PartialOrd>(mine: Option<T>, others: Option<T>) -> bool {
            others.is_none_or(|limit| mine.is_some_and(|mine| mine <= limit))
        }
        let models = match (&self.models, &other.models) {
            (Some(mine), Some(others)) => mine.iter().all(|name| others.contains(name) || others.contains("*")),
            // All configured models, and no others.
            (None, Some(others)) => others.contains("*"),
            (Some(mine), None) => !mine.contains("*"),
            (None, None) => true,
        };
        let requests = |plan: &Self| plan.requests.map(|rate| (rate.per_minute, rate.burst)).unzip();
        let audio = |plan: &Self| plan.audio.map(|rate| (rate.per_minute, rate.burst)).unzip();
        let ((rate, burst), (rates, bursts)) = (requests(self), requests(other));
        let ((audio_rate, audio_burst), (audio_rates, audio_bursts)) = (audio(self), audio(other));
        models
            && fits(rate, rates)
            && fits(burst, bursts)
            && fits(audio_rate, audio_rates)
            && fits(audio_burst, audio_bursts)
            && fits(self.concurrent, other.concurrent)
            && fits(self.max_recording, other.max_recording)
            && fits(self.monthly_usd, other.monthly_usd)
            && fits(self.monthly_audio, other.monthly_audio)
    }

    /// True if the plan allows models that are not configured.
    pub fn allows_unknown(&self) -> bool {
        self.models.as_ref().is_some_and(|models| models.contains("*"))
    }
}

fn count(section: &mut Section, key: &'static str) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(section.ranged(key, 1..=MAX_RATE)?).ok()?)
}

fn read_requests(section: &mut Section) -> Option<RequestRate> {
    let given = section.contains("requests_per_minute");
    let per_minute = count(section, "requests_per_minute");
    let burst = count(section, "burst");
    if !given && burst.is_some() {
        section.problem("burst", "needs requests_per_minute beside it");
    }
    let per_minute = per_minute?;
    Some(RequestRate { per_minute, burst: burst.unwrap_or(per_minute) })
}

fn read_audio(section: &mut Section) -> Option<AudioRate> {
    let given = section.contains("audio_seconds_per_minute");
    let per_minute = section.ranged("audio_seconds_per_minute", 1..=MAX_RATE);
    let burst = section.ranged("audio_burst_seconds", 1..=MAX_RATE * MAX_BURST_MINUTES);
    if !given && burst.is_some() {
        section.problem("audio_burst_seconds", "needs audio_seconds_per_minute beside it");
    }
    let per_minute = per_minute?;
    let burst = burst.unwrap_or(per_minute);
    if burst > per_minute * MAX_BURST_MINUTES {
        let max = per_minute * MAX_BURST_MINUTES;
        section.problem("audio_burst_seconds", format!("got {burst}; takes {max} at most, what four hours allow"));
    }
    Some(AudioRate { per_minute: AudioMs::new(per_minute * 1000), burst: AudioMs::new(burst * 1000) })
}

/// Reads the plans; `default` is always among them.
pub(super) fn read_plans(root: &mut Section, models: &BTreeMap<String, Model>) -> BTreeMap<String, Plan> {
    let sections = root.named_sections("plans");
    let mut plans: BTreeMap<_, _> =
        sections.into_iter().map(|(name, section)| (name, Plan::read(section, models))).collect();
    plans.entry("default".to_owned()).or_default();
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_within_another_if_it_allows_nothing_more() {
        let number = NonZeroU32::new;
        let plan = |models: Option<&[&str]>, concurrent, usd: Option<u64>, rate: Option<(u32, u32)>| Plan {
            models: models.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            concurrent: number(concurrent),
            monthly_usd: usd.map(NanoUsd::new),
            requests: rate.and_then(|(per_minute, burst)| {
                Some(RequestRate { per_minute: number(per_minute)?, burst: number(burst)? })
            }),
            ..Plan::default()
        };
        let open = Plan::default();
        let narrow = plan(Some(&["a"]), 2, Some(5), Some((60, 3)));
        assert!(narrow.is_within(&open) && !open.is_within(&narrow) && narrow.is_within(&narrow));
        for (other, within) in [
            (plan(Some(&["a"]), 2, Some(5), Some((60, 4))), false),
            (plan(Some(&["a"]), 2, Some(5), Some((61, 3))), false),
            (plan(Some(&["a"]), 2, Some(5), None), false),
            (plan(Some(&["a"]), 3, Some(5), Some((60, 3))), false),
            (plan(Some(&["a"]), 2, None, Some((60, 3))), false),
            (plan(Some(&["a", "b"]), 2, Some(5), Some((60, 3))), false),
            (plan(None, 2, Some(5), Some((60, 3))), false),
            (plan(Some(&[]), 1, Some(4), Some((59, 1))), true),
        ] {
            assert_eq!(other.is_within(&narrow), within, "{other:?}");
        }
        let any = plan(Some(&["*"]), 0, None, None);
        assert!(open.is_within(&any) && !any.is_within(&open), "* allows models that are not configured too");
    }
}
