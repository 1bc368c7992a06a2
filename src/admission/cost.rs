//! The cost of work that a provider did: by its report, as far as that is plausible, or else by what it was sent.

use crate::config::Model;
use crate::domain::{AudioMs, Length, NanoUsd};
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
    pub(super) charge: Charge,
    /// The tokens, if every charged piece has reported tokens; else the lengths.
    pub(super) usage: Option<Usage>,
    /// The money by provider.
    pub(super) by_provider: Vec<ProviderShare>,
    /// The number of pieces that went to a provider.
    pub(super) count: u32,
    pub(super) any_transcribed: bool,
    pub(super) any_charged: bool,
}

/// The money that one piece costs.
#[derive(Debug)]
pub(super) struct ProviderShare {
    pub(super) provider: String,
    pub(super) usd: NanoUsd,
}

impl CostOfPieces {
    pub(super) fn of(pieces: Vec<SentPiece>) -> Self {
        let mut sum = Self { count: u32::try_from(pieces.len()).unwrap_or(u32::MAX), ..Self::default() };
        let mut usages = Vec::with_capacity(pieces.len());
        for piece in pieces.into_iter().filter(|piece| piece.progress != PieceProgress::NotHeld) {
            let SentPiece { length, text, target, report, progress } = piece;
            let cost = Cost::of(&target.model, report, Length::Measured(length), text);
            sum.charge = sum.charge.plus(cost.charge);
            sum.by_provider.push(ProviderShare { provider: target.provider, usd: cost.charge.usd });
            sum.any_transcribed |= progress == PieceProgress::Transcribed;
            sum.any_charged = true;
            usages.push(PieceUsage { reported: cost.usage, length: cost.charge.audio });
        }
        sum.charge.usd = sum.charge.usd.min(NanoUsd::MAX);
        sum.usage = sum_of(&usages);
        sum
    }
}

/// The usage of one charged piece.
struct PieceUsage {
    reported: Option<Usage>,
    /// The charged length.
    length: AudioMs,
}

fn sum_of(usages: &[PieceUsage]) -> Option<Usage> {
    let add_tokens = |sum: Option<Usage>, usage: &PieceUsage| match (sum?, usage.reported?) {
        (Usage::Tokens { input, output }, Usage::Tokens { input: more_input, output: more_output }) => {
            let (input, output) = (input.saturating_add(more_input), output.saturating_add(more_output));
            Some(Usage::Tokens { input, output })
        }
        _ => None,
    };
    if usages.is_empty() {
        return None;
    }
    let tokens = usages.iter().fold(Some(Usage::Tokens { input: 0, output: 0 }), add_tokens);
    let length = || usages.iter().fold(AudioMs::default(), |sum, usage| sum.saturating_add(usage.length));
    Some(tokens.unwrap_or_else(|| Usage::Length(length())))
}
