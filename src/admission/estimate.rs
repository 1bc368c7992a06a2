//! The job to admit, and what it is expected to cost.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::{AudioMs, Length};
use crate::identity::Caller;
use crate::intake::Job;
use crate::ledger::{Charge, Price};
use crate::models::TargetChain;

/// The audio that is charged for each planned piece beyond its length: providers round seconds up.
const MARGIN_PER_PIECE: AudioMs = AudioMs::new(1000);

/// A job to admit, and the description of its request in the ledger.
#[derive(Debug, Clone, Copy)]
pub struct JobToAdmit<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The job.
    pub job: &'a Job,
    /// The model entries that can do the job.
    pub targets: &'a TargetChain,
    /// The first provider in line.
    pub provider: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// The pieces in which the recording goes to providers; `None` if it goes as it is.
    pub pieces: Option<PlannedPieces>,
}

/// The pieces that are planned for a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPieces {
    /// The number of pieces, or the highest that it can become.
    pub count: NonZeroU32,
    /// The longest time that the providers may take for all of them.
    pub time: Duration,
}

/// The amounts of a job that decide its charge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amounts {
    /// The length of the recording, with the samples of known speakers, which go with every piece.
    pub(super) length: Length,
    /// The length that is charged: with a margin for each piece, unless there is a single one.
    audio: AudioMs,
    /// The number of bytes of text that a provider may bill. They go with every piece.
    pub(super) text: u64,
}

impl Amounts {
    pub(super) fn of(job: &Job, pieces: Option<PlannedPieces>) -> Self {
        let count = u64::from(pieces.map_or(NonZeroU32::MIN, |pieces| pieces.count).get());
        let times = |length: AudioMs| AudioMs::new(length.get().saturating_mul(count));
        let references = match job.references {
            Length::Measured(length) => Length::Measured(times(length)),
            Length::AtMost(length) => Length::AtMost(times(length)),
        };
        let length = job.media.length.plus(references);
        let margin = if count > 1 { times(MARGIN_PER_PIECE) } else { AudioMs::default() };
        let audio = length.upper_bound().saturating_add(margin);
        Self { length, audio, text: job.options.text_bytes().saturating_mul(count) }
    }

    /// Returns the amounts of `audio` that goes to providers in this number of turns, each with `text` bytes of text.
    pub(super) fn of_turns(audio: AudioMs, turns: u32, text: u64) -> Self {
        let turns = u64::from(turns);
        let margin = AudioMs::new(MARGIN_PER_PIECE.get().saturating_mul(turns));
        let (length, audio) = (Length::Measured(audio), audio.saturating_add(margin));
        Self { length, audio, text: text.saturating_mul(turns) }
    }

    /// Returns the estimate by the dearest of the model entries.
    pub(super) fn estimate(self, targets: &TargetChain) -> Charge {
        self.estimate_by(targets.models().filter_map(|model| model.price))
    }

    /// Returns the estimate by the highest of these prices.
    pub(super) fn estimate_by(self, prices: impl Iterator<Item = Price>) -> Charge {
        let usd = prices.map(|price| price.estimate(self.audio, self.text)).max().unwrap_or_default();
        Charge { usd, audio: self.audio }
    }
}
