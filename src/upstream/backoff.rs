//! The wait before the next attempt: the time that the provider names, or one that doubles.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use crate::config;

/// The longest wait that a provider may ask for. No request waits as long as this, and time arithmetic cannot overflow
/// with it.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The header that OpenAI's SDKs read first.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// Waits that double up to a maximum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(settings: &config::Upstream) -> Self {
        Self { first: settings.backoff, max: settings.max_backoff }
    }

    #[cfg(test)]
    pub(super) fn between(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// Returns the same waits, which double up to `max` if that is more.
    pub(super) fn up_to(self, max: Duration) -> Self {
        Self { max: self.max.max(max), ..self }
    }

    /// Returns the wait after the `failures`th failure in a row, counted from one.
    pub(super) fn after(self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.max)
    }

    /// Returns the wait with jitter, between half and all of it, so that requests that failed together do not return
    /// together.
    pub(super) fn jittered(self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        self.after(failures).mul_f64(0.5 + random.f64() / 2.0)
    }
}

/// Reads the wait that an answer asks for, if it does: in milliseconds, in seconds, or as a date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    stated(headers, now).map(|wait| wait.min(MAX_RETRY_AFTER))
}

fn stated(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = text(RETRY_AFTER_MS).and_then(number) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let after = text(RETRY_AFTER.as_str())?;
    match number(after) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        // A date in the past means now.
        None => Some(httpdate::parse_http_date(after).ok()?.duration_since(now).unwrap_or_default()),
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| *number >= 0.0)
}

/// Returns the value of a retry header for the client. A wait of up to [`MAX_RETRY_AFTER`] stays unchanged; a longer one
/// becomes [`MAX_RETRY_AFTER`]; a value that is not a time is dropped (RFC 9110 §10.2.3). Clients use the value without a
/// check, and a number that is too large for them makes them wait for ever or not at all.
pub(super) fn bounded(name: &HeaderName, value: &HeaderValue, now: SystemTime) -> Option<HeaderValue> {
    let in_milliseconds = name.as_str() == RETRY_AFTER_MS;
    if *name != RETRY_AFTER && !in_milliseconds {
        return Some(value.clone());
    }
    let text = value.to_str().ok()?.trim();
    let max = if in_milliseconds { MAX_RETRY_AFTER.as_millis() } else { MAX_RETRY_AFTER.as_secs().into() };
    let per_second = if in_milliseconds { 1000.0 } else { 1.0 };
    // A number that overflows the machine's type is a long wait too, but the word "infinity" is not.
    let counts = |wait: &f64| wait.is_finite() || text.starts_with(|first: char| first.is_ascii_digit());
    let is_longer = match number(text).filter(counts) {
        Some(wait) => wait / per_second > MAX_RETRY_AFTER.as_secs_f64(),
        None if in_milliseconds => return None,
        None => {
            let date = httpdate::parse_http_date(text).ok()?;
            date.duration_since(now).is_ok_and(|wait| wait > MAX_RETRY_AFTER)
        }
    };
    if is_longer { HeaderValue::try_from(max.to_string()).ok() } else { Some(value.clone()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_millis(250), max: Duration::from_secs(8) };

    /// Some time in 2025, in whole seconds.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000)
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<_> = (1..=8).map(|failures| BACKOFF.after(failures).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }

    #[test]
    fn a_provider_says_when_in_three_ways_and_nonsense_is_nothing() {
        let stated = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            retry_after(&pairs.collect::<HeaderMap>(), now())
        };
        assert_eq!(stated(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(
            stated(&[("retry-after", "7"), ("retry-after-ms", "6500.5")]),
            Some(Duration::from_micros(6_500_500))
        );
        assert_eq!(stated(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(stated(&[("retry-after", "Tue, 15 Nov 1994 08:12:31 GMT")]), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(now() + Duration::from_mins(1));
        assert_eq!(stated(&[("retry-after", &date)]), Some(Duration::from_mins(1)));
        for (name, huge) in [("retry-after", "18446744073709549568"), ("retry-after-ms", "1e22")] {
            assert_eq!(stated(&[(name, huge)]), Some(MAX_RETRY_AFTER));
        }
        for nonsense in ["soon", "-1", "NaN", "inf", "1e300", ""] {
            assert_eq!(stated(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(stated(&[]), None);
    }

    #[test]
    fn a_client_is_shown_a_time_to_come_back_or_none() {
        let date = |from_now| httpdate::fmt_http_date(now() + from_now);
        let (soon, late) = (date(Duration::from_mins(1)), date(MAX_RETRY_AFTER * 2));
        for (name, value, expected) in [
            ("retry-after", "7", Some("7")),
            ("retry-after", "0", Some("0")),
            ("retry-after", "0.5", Some("0.5")),
            ("retry-after", "86400", Some("86400")),
            ("retry-after", "86401", Some("86400")),
            ("retry-after", "99999999999999999999", Some("86400")),
            ("retry-after", &"9".repeat(400), Some("86400")),
            ("retry-after", &soon, Some(soon.as_str())),
            ("retry-after", &late, Some("86400")),
            ("retry-after", "Tue, 15 Nov 1994 08:12:31 GMT", Some("Tue, 15 Nov 1994 08:12:31 GMT")),
            ("retry-after-ms", "6500.5", Some("6500.5")),
            ("retry-after-ms", "86400001", Some("86400000")),
            ("retry-after-ms", "1e22", Some("86400000")),
            ("retry-after-ms", &soon, None),
            ("x-should-retry", "true", Some("true")),
        ] {
            let shown = bounded(&name.parse().unwrap(), &value.parse().unwrap(), now());
            assert_eq!(shown, expected.map(|expected| expected.parse().unwrap()), "{name}: {value}");
        }
        for nonsense in ["soon", "-1", "NaN", "inf", "0x10", "1.2.3", ".", "", "7, 8", "7 s"] {
            for name in ["retry-after", "retry-after-ms"] {
                let shown = bounded(&name.parse().unwrap(), &nonsense.parse().unwrap(), now());
                assert_eq!(shown, None, "{name}: {nonsense}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_a_provider_says_a_client_is_told_no_more_than_a_day(value in "[ -~]{0,30}|[0-9]{1,60}") {
            for (name, longest) in [("retry-after", 86_400.0), ("retry-after-ms", 86_400_000.0)] {
                if let Some(shown) = bounded(&name.parse().unwrap(), &value.parse().unwrap(), now()) {
                    let wait = shown.to_str().unwrap();
                    let is_bounded = wait.parse::<f64>().map_or(true, |wait| (0.0..=longest).contains(&wait));
                    prop_assert!(is_bounded, "{}", wait);
                }
            }
        }

        #[test]
        fn no_wait_is_longer_than_the_longest_or_shorter_than_half_of_its_step(failures in 0_u32.., seed: u64) {
            let step = BACKOFF.after(failures);
            let wait = BACKOFF.jittered(failures, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(wait <= step && step <= BACKOFF.max && wait * 2 + Duration::from_nanos(1) >= step);
        }
    }
}
