//! How long to wait before somebody is asked again: as they say, or by a time that doubles.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::config;

/// What a provider may ask for at most. No request waits for so long, and clocks can be reckoned with it.
const LONGEST_TOLD: Duration = Duration::from_hours(24);

/// Waits that double, up to the longest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(settings: &config::Upstream) -> Self {
        Self { first: settings.backoff, longest: settings.max_backoff }
    }

    #[cfg(test)]
    pub(super) fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The wait after the `failures`th failure in a row, counted from one.
    pub(super) fn after(self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// The same, somewhere between half of it and all of it, so that those who failed together do not come back together.
    pub(super) fn jittered(self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        self.after(failures).mul_f64(0.5 + random.f64() / 2.0)
    }
}

/// When a provider asks to be asked again, if it says so: in milliseconds, in seconds, or as a date.
pub(super) fn told(headers: &HeaderMap) -> Option<Duration> {
    as_told(headers).map(|wait| wait.min(LONGEST_TOLD))
}

fn as_told(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| *number >= 0.0);
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let after = text(RETRY_AFTER.as_str())?;
    match number(after) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        // A date that has passed means now.
        None => Some(httpdate::parse_http_date(after).ok()?.duration_since(SystemTime::now()).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(8) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<_> = (1..=8).map(|failures| BACKOFF.after(failures).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }

    #[test]
    fn a_provider_says_when_in_three_ways_and_nonsense_is_nothing() {
        let told = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            told(&pairs.collect::<HeaderMap>())
        };
        assert_eq!(told(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(told(&[("retry-after", "7"), ("retry-after-ms", "6500.5")]), Some(Duration::from_micros(6_500_500)));
        assert_eq!(told(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(told(&[("retry-after", "Tue, 15 Nov 1994 08:12:31 GMT")]), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(1));
        let wait = told(&[("retry-after", &date)]).unwrap();
        assert!((58..=60).contains(&wait.as_secs()), "{wait:?}");
        for (name, huge) in [("retry-after", "18446744073709549568"), ("retry-after-ms", "1e22")] {
            assert_eq!(told(&[(name, huge)]), Some(LONGEST_TOLD));
        }
        for nonsense in ["soon", "-1", "NaN", "inf", "1e300", ""] {
            assert_eq!(told(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(told(&[]), None);
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest_or_shorter_than_half_of_its_step(failures in 0_u32.., seed: u64) {
            let step = BACKOFF.after(failures);
            let wait = BACKOFF.jittered(failures, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(wait <= step && step <= BACKOFF.longest && wait * 2 + Duration::from_nanos(1) >= step);
        }
    }
}
