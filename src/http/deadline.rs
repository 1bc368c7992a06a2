//! How long a client waits, where it says so: nobody works for somebody who has gone.

use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;

use super::error::ApiError;
use crate::config::Settings;
use crate::upstream::Deadline;

/// What OpenAI's SDKs say of themselves, in seconds: Node's how long it waits for the head of the answer, Python's how
/// long it bears silence.
const OF_SDKS: [&str; 2] = ["x-stainless-timeout", "x-stainless-read-timeout"];
/// What a client says on purpose, in milliseconds.
const ON_PURPOSE: &str = "x-request-timeout-ms";

/// How long a client waits for an answer to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ClientLimit {
    on_purpose: Option<Duration>,
    of_sdk: Option<Duration>,
}

impl ClientLimit {
    /// What the headers say. An SDK sets its own by itself, so that nonsense in it is nobody's fault.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        let seconds =
            |name: &&str| Duration::try_from_secs_f64(text(name)?.parse().ok()?).ok().filter(|it| !it.is_zero());
        let of_sdk = OF_SDKS.iter().filter_map(seconds).min();
        let on_purpose = match text(ON_PURPOSE).map(str::parse::<u64>) {
            None => None,
            Some(Ok(ms)) if ms > 0 => Some(Duration::from_millis(ms)),
            Some(_) => return Err(ApiError::invalid_parameter(ON_PURPOSE, "it takes whole milliseconds, 1 or more")),
        };
        Ok(Self { on_purpose, of_sdk })
    }

    /// Until when a request that came at `arrival` may take. An SDK whose stream gets a keep-alive within its limit goes on
    /// waiting, so that limit does not hold then.
    pub(super) fn deadline(self, arrival: Instant, stream: bool, settings: &Settings) -> Deadline {
        let holds = |limit: &Duration| !stream || *limit <= settings.relay.keep_alive;
        let longest = settings.upstream.response_timeout;
        let limit = [self.on_purpose, self.of_sdk.filter(holds)].into_iter().flatten().fold(longest, Duration::min);
        let arrival = tokio::time::Instant::from_std(arrival);
        Deadline { whole: arrival + longest, beginning: arrival + limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(pairs: &[(&'static str, &'static str)]) -> Option<ClientLimit> {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        ClientLimit::of(&pairs.collect()).ok()
    }

    #[test]
    fn an_sdks_limit_is_taken_where_it_makes_sense_and_ones_own_must() {
        let of_sdk = |ms| Some(ClientLimit { of_sdk: Some(Duration::from_millis(ms)), on_purpose: None });
        assert_eq!(limit(&[("x-stainless-timeout", "600")]), of_sdk(600_000));
        assert_eq!(limit(&[("x-stainless-timeout", "2.5")]), of_sdk(2500));
        assert_eq!(limit(&[("x-stainless-timeout", "9"), ("x-stainless-read-timeout", "3.0")]), of_sdk(3000));
        for nonsense in ["0", "-1", "never", "NaN", "1e300", ""] {
            assert_eq!(limit(&[("x-stainless-timeout", nonsense)]), Some(ClientLimit::default()), "{nonsense}");
            assert_eq!(limit(&[("x-request-timeout-ms", nonsense)]), None, "{nonsense}");
        }
        let on_purpose = Some(Duration::from_millis(1500));
        assert_eq!(limit(&[("x-request-timeout-ms", "1500")]), Some(ClientLimit { on_purpose, of_sdk: None }));
        assert_eq!(limit(&[("x-request-timeout-ms", "1.5")]), None);
    }
}
