//! The record of a request as JSON, for its caller and for the operator.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger::{Charge, Ending, Entry, Usage};

/// Returns what is recorded of a request, except its caller.
pub(super) fn request_json(entry: &Entry) -> Value {
    let Entry { at, info, audio, estimate, cost, usage, ending, .. } = entry;
    let charge = |charge: &Charge| json!({ "usd": charge.usd, "audio_ms": charge.audio });
    json!({
        "object": "usage.request",
        "request_id": info.request_id,
        "created_at": at.get() / 1000,
        "model": info.model,
        "provider": info.provider,
        "attempts": info.attempts,
        "pieces": info.pieces,
        "audio_ms": audio,
        "usage": usage.map(reported),
        "estimate": charge(estimate),
        "cost": charge(cost),
        "status": if *ending == Ending::Open { "open" } else { "settled" },
        "ending": ending,
    })
}

/// Writes a provider's report in OpenAI's form.
fn reported(usage: Usage) -> Value {
    match usage {
        Usage::Tokens { input, output } => json!({
            "type": "tokens",
            "input_tokens": input,
            "output_tokens": output,
            "total_tokens": input.saturating_add(output),
        }),
        Usage::Length(length) if length.get().is_multiple_of(1000) => {
            json!({ "type": "duration", "seconds": length.get() / 1000 })
        }
        Usage::Length(length) => {
            json!({ "type": "duration", "seconds": Duration::from_millis(length.get()).as_secs_f64() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AudioMs;

    #[test]
    fn seconds_are_whole_where_they_can_be() {
        let seconds = |ms| reported(Usage::Length(AudioMs::new(ms)))["seconds"].to_string();
        assert_eq!([0, 2000, 2500, 3_600_001].map(seconds), ["0", "2", "2.5", "3600.001"]);
    }
}
