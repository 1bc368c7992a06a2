//! Prices of models, and the costs of recordings and of providers' reports.
//!
//! Every amount is rounded up to a whole billionth of a dollar, once, at the end.

use super::Usage;
use crate::domain::{AudioMs, NanoUsd};

const MINUTE_MS: u64 = 60_000;
const MILLION: u64 = 1_000_000;

/// The price of a model. Minutes and tokens are two ways to state one bill; the two are never added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The price of a minute of audio. The estimate uses it, since the tokens are not known before the work is done.
    pub per_minute: NanoUsd,
    /// The token prices, if the provider bills tokens. They apply to its usage report.
    pub tokens: Option<TokenPrice>,
}

/// The prices of a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPrice {
    /// The price for audio and prompt.
    pub input: NanoUsd,
    /// The price for the transcript.
    pub output: NanoUsd,
}

impl Price {
    /// Returns the cost of `length` of audio at the price per minute.
    pub fn of_audio(&self, length: AudioMs) -> NanoUsd {
        self.per_minute.share(length.get(), MINUTE_MS)
    }

    /// Returns the charge before the work is done: the audio and, for a model that bills tokens, the `text` bytes of
    /// prompt and hints, each counted as one token, its maximum. So a long prompt never comes at the price of a short
    /// recording.
    pub fn estimate(&self, length: AudioMs, text: u64) -> NanoUsd {
        let text = self.tokens.map_or(NanoUsd::ZERO, |tokens| tokens.input.share(text, MILLION));
        self.of_audio(length).saturating_add(text).min(NanoUsd::MAX)
    }

    /// Returns the cost of the provider's report; `None` if it reports tokens of a model that is priced only by the
    /// minute.
    pub fn of_usage(&self, usage: Usage) -> Option<NanoUsd> {
        match usage {
            Usage::Length(length) => Some(self.of_audio(length)),
            Usage::Tokens { input, output } => {
                let price = self.tokens?;
                let exact = u128::from(price.input.get()) * u128::from(input)
                    + u128::from(price.output.get()) * u128::from(output);
                let nanos = u64::try_from(exact.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX);
                Some(NanoUsd::new(nanos).min(NanoUsd::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> NanoUsd {
        text.parse().unwrap()
    }

    fn by_tokens() -> Price {
        let tokens = TokenPrice { input: usd("2.50"), output: usd("10.00") };
        Price { per_minute: usd("0.006"), tokens: Some(tokens) }
    }

    #[test]
    fn a_bill_is_stated_in_minutes_or_in_tokens_and_never_in_both() {
        let by_minute = Price { per_minute: usd("0.0045"), tokens: None };
        let tokens = Usage::Tokens { input: 14, output: 45 };
        assert_eq!(by_minute.of_audio(AudioMs::new(90_000)), usd("0.00675"));
        assert_eq!(by_minute.of_usage(Usage::Length(AudioMs::new(3000))), Some(usd("0.000225")));
        assert_eq!(by_minute.of_usage(tokens), None);
        assert_eq!(by_tokens().of_usage(tokens), Some(usd("0.000485")));
        assert_eq!(by_tokens().of_usage(Usage::Length(AudioMs::new(1000))), Some(usd("0.0001")));
    }

    #[test]
    fn the_estimate_covers_the_prompt_where_the_prompt_costs() {
        let audio = AudioMs::new(60_000);
        assert_eq!(by_tokens().estimate(audio, 0), usd("0.006"));
        assert_eq!(by_tokens().estimate(audio, 1000), usd("0.0085"));
        let by_minute = Price { per_minute: usd("0.006"), tokens: None };
        assert_eq!(by_minute.estimate(audio, 1000), usd("0.006"));
    }

    #[test]
    fn absurd_reports_do_not_overflow() {
        assert_eq!(by_tokens().of_usage(Usage::Tokens { input: u64::MAX, output: u64::MAX }), Some(NanoUsd::MAX));
        assert_eq!(by_tokens().of_usage(Usage::Length(AudioMs::new(u64::MAX))), Some(NanoUsd::MAX));
    }
}
