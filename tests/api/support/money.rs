//! Amounts of money in answers.

use serde_json::Value;

/// What a second of audio costs in billionths of a dollar, by the built-in prices.
pub(crate) const GPT_TRANSCRIBE: u64 = 75_000;

/// Billionths of a dollar.
pub(crate) fn nano_usd(usd: &Value) -> u64 {
    let (dollars, decimals) = usd.as_str().unwrap().split_once('.').unwrap();
    dollars.parse::<u64>().unwrap() * 1_000_000_000 + format!("{decimals:0<9}").parse::<u64>().unwrap()
}
