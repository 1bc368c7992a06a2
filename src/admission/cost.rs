//! The cost of work that a provider did: by its report, as far as that is plausible, or else by what it was sent.

use std::collections::BTreeMap;

use crate::config::Model;
use crate::domain::{Length, NanoUsd};
use crate::ledger::{Charge, Price, Report, Usage};
use crate::models::{PieceProgress, SentPiece};

/// The cost of one forwarding.
pub(super) struct Cost {
    pub(super) charge: Charge,
    /// The usage that the provider reports, if it is plausible.
    pub(super) usage: Option<Usage>,
}

impl Cost {
    /// Returns the cost of `audio` with `text` bytes of text, at the price of the model entry that served.
    pub(super) fn of(served: &Model, report: Report, audio: Length, text: u64) -> Self {
        let (price, longest) = (served.price, audio.upper_bound());
        let believed = report.believed(audio, |usage, longest| {
            let Some(price) = price else { return true };
            // The requested options must not decide the price: the prompt counts, whatever the client requested.
            price.of_usage(usage).is_none_or(|usd| usd <= price.estimate(longest, text))
        });
        if report.usage.is_some() && believed.is_none() {
            tracing::warn!(
                model = served.name,
                "the provider reports far more than was sent; its report is not charged"
            );
        }
        let audio = match believed {
            Some(Usage::Length(length)) => length,
            _ => longest,
        };
        let priced = |price: Price| {
            // Without a report the estimate stands, prompt included.
            let estimate = || price.estimate(longest, text);
            believed.and_then(|usage| price.of_usage(usage)).unwrap_or_else(estimate)
        };
        Self { charge: Charge { usd: price.map(priced).unwrap_or_default(), audio }, usage: believed }
    }
}

/// The cost of a recording that went to providers in pieces: the sum over those that were heard, and those that a
/// provider has whole. A piece that failed costs nothing, nor does silence that was not sent.
#[derive(Debug, Default)]
pub(super) struct CostOfPieces {
    sum: Charge,
    tokens: TokenSum,
    /// The money by provider.
    pub(super) by_provider: BTreeMap<String, NanoUsd>,
    /// The number of pieces that went to a provider.
    pub(super) count: u32,
    pub(super) any_transcribed: bool,
    pub(super) any_charged: bool,
}

/// The tokens of all charged pieces.
#[derive(Debug, Default)]
struct TokenSum {
    input: u64,
    output: u64,
    /// True if a piece has reported none, so that the sum is not that of all.
    is_partial: bool,
}

impl CostOfPieces {
    /// Adds pieces, each of which is added once.
    pub(super) fn add(&mut self, pieces: Vec<SentPiece>) {
        self.count = self.count.saturating_add(u32::try_from(pieces.len()).unwrap_or(u32::MAX));
        for piece in pieces.into_iter().filter(|piece| piece.progress != PieceProgress::NotHeld) {
            let SentPiece { length, text, target, report, progress } = piece;
            let cost = Cost::of(&target.model, report, Length::Measured(length), text);
            self.sum = self.sum.plus(cost.charge);
            self.tokens.add(cost.usage);
            let of_provider = self.by_provider.entry(target.provider).or_default();
            *of_provider = of_provider.saturating_add(cost.charge.usd);
            self.any_transcribed |= progress == PieceProgress::Transcribed;
            self.any_charged = true;
        }
    }

    /// Returns the charge for all of them.
    pub(super) fn charge(&self) -> Charge {
        Charge { usd: self.sum.usd.min(NanoUsd::MAX), ..self.sum }
    }

    /// Returns the tokens, if every charged piece has reported tokens; else the charged length. `None` without any charged
    /// piece.
    pub(super) fn usage(&self) -> Option<Usage> {
        let TokenSum { input, output, is_partial } = self.tokens;
        let usage = if is_partial { Usage::Length(self.sum.audio) } else { Usage::Tokens { input, output } };
        self.any_charged.then_some(usage)
    }
}

impl TokenSum {
    fn add(&mut self, reported: Option<Usage>) {
        if let Some(Usage::Tokens { input, output }) = reported {
            self.input = self.input.saturating_add(input);
            self.output = self.output.saturating_add(output);
        } else {
            self.is_partial = true;
        }
    }
}
