//! The headers for a caller's remaining rates: as OpenAI writes them, and as the IETF draft does
//! (draft-ietf-httpapi-ratelimit-headers-10).

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::limits::{Allowance, RateWindow};

/// Writes the headers of `allowance`.
pub(in crate::http) fn write(allowance: &Allowance, headers: &mut HeaderMap) {
    for (name, value) in header_values(allowance) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Returns the headers as names and values. An unlimited rate has none.
pub(in crate::http) fn header_values(allowance: &Allowance) -> Vec<(&'static str, String)> {
    let mut pairs = Vec::new();
    if let Some(RateWindow { limit, remaining, reset }) = allowance.requests {
        pairs.push(("x-ratelimit-limit-requests", limit.to_string()));
        pairs.push(("x-ratelimit-remaining-requests", remaining.to_string()));
        pairs.push(("x-ratelimit-reset-requests", openai_duration(reset)));
    }
    let shares = [("requests", "", allowance.requests), ("audio", ";qu=\"seconds\"", allowance.audio)];
    let shares = || shares.iter().filter_map(|(name, unit, share)| Some((name, unit, (*share)?)));
    let policies = shares().map(|(name, unit, share)| format!("\"{name}\";q={};w=60{unit}", share.limit));
    let states = shares().map(|(name, _, share)| {
        let reset = share.reset.as_millis().div_ceil(1000);
        format!("\"{name}\";r={};t={reset}", share.remaining)
    });
    let (policies, states): (Vec<_>, Vec<_>) = (policies.collect(), states.collect());
    if !policies.is_empty() {
        pairs.push(("ratelimit-policy", policies.join(", ")));
        pairs.push(("ratelimit", states.join(", ")));
    }
    pairs
}

/// Formats a duration as OpenAI's headers do: `20ms`, `1s`, `8.64s`, `6m0s`. Rounds up.
fn openai_duration(span: Duration) -> String {
    let ms = span.as_micros().div_ceil(1000);
    let (minutes, rest) = (ms / 60_000, ms % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = match fraction.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    match (minutes, ms) {
        (0, 0) => "0s".to_owned(),
        (0, 1..1000) => format!("{ms}ms"),
        (0, _) => format!("{}{fraction}s", rest / 1000),
        _ => format!("{minutes}m{}{fraction}s", rest / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_openai_does() {
        for (ms, text) in
            [(0, "0s"), (20, "20ms"), (1000, "1s"), (8640, "8.64s"), (360_000, "6m0s"), (61_005, "1m1.005s")]
        {
            assert_eq!(openai_duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(openai_duration(Duration::from_micros(1)), "1ms");
    }

    #[test]
    fn each_rate_has_its_policy_and_its_state() {
        let share = |limit, remaining, ms| Some(RateWindow { limit, remaining, reset: Duration::from_millis(ms) });
        let allowance = Allowance { requests: share(60, 9, 1500), audio: share(600, 580, 2000) };
        let pairs = header_values(&allowance);
        let value = |name| pairs.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
        assert_eq!(value("x-ratelimit-limit-requests"), Some("60"));
        assert_eq!(value("x-ratelimit-remaining-requests"), Some("9"));
        assert_eq!(value("x-ratelimit-reset-requests"), Some("1.5s"));
        assert_eq!(value("ratelimit-policy"), Some("\"requests\";q=60;w=60, \"audio\";q=600;w=60;qu=\"seconds\""));
        assert_eq!(value("ratelimit"), Some("\"requests\";r=9;t=2, \"audio\";r=580;t=2"));
        assert_eq!(header_values(&Allowance::default()), []);
    }
}
