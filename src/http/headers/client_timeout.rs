//! The time limits that a client states. The gateway stops work for a client that has given up.

use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;

use crate::config::Settings;
use crate::http::error::ApiError;
use crate::upstream::Deadline;

/// The limits in OpenAI's SDKs' headers, in seconds. Node's SDK waits this long for the head of the answer, counted
/// from the start of the request. Python's allows this much silence, counted from the end of its upload.
const OF_SDK: &str = "x-stainless-timeout";
const SILENCE_OF_SDK: &str = "x-stainless-read-timeout";
/// The limit that a client sets on purpose, in milliseconds.
const ON_PURPOSE: &str = "x-request-timeout-ms";

/// The time that a client waits for an answer to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) struct ClientLimit {
    on_purpose: Option<Duration>,
    of_sdk: Option<Duration>,
    silence: Option<Duration>,
}

impl ClientLimit {
    /// Reads the headers. Ignores invalid values from an SDK, since the user did not write them.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        let seconds =
            |name: &str| Duration::try_from_secs_f64(text(name)?.parse().ok()?).ok().filter(|it| !it.is_zero());
        let (of_sdk, silence) = (seconds(OF_SDK), seconds(SILENCE_OF_SDK));
        let on_purpose = match text(ON_PURPOSE).map(str::parse::<u64>) {
            None => None,
            Some(Ok(ms)) if ms > 0 => Some(Duration::from_millis(ms)),
            Some(_) => return Err(ApiError::invalid_parameter(ON_PURPOSE, "it takes whole milliseconds, 1 or more")),
        };
        Ok(Self { on_purpose, of_sdk, silence })
    }

    /// Returns the deadline of a request that came at `arrival` and was complete at `sent`, which is `None` while the
    /// request is still arriving. An SDK whose stream gets a keep-alive within its limit goes on waiting, so such a
    /// limit does not apply to a stream.
    pub(in crate::http) fn deadline(
        self,
        arrival: Instant,
        sent: Option<Instant>,
        stream: bool,
        settings: &Settings,
    ) -> Deadline {
        let holds = |limit: &Duration| !stream || *limit <= settings.relay.keep_alive;
        let longest = settings.upstream.response_timeout;
        let limits = [
            self.on_purpose.map(|limit| (arrival, limit)),
            self.of_sdk.filter(holds).map(|limit| (arrival, limit)),
            sent.zip(self.silence.filter(holds)),
        ];
        let whole = arrival + longest;
        let ends = limits.into_iter().flatten().map(|(since, limit)| since + limit.min(longest));
        let beginning = ends.fold(whole, Instant::min);
        Deadline { whole: whole.into(), beginning: beginning.into() }
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
        let of_sdk = |ms| Some(ClientLimit { of_sdk: Some(Duration::from_millis(ms)), ..ClientLimit::default() });
        assert_eq!(limit(&[("x-stainless-timeout", "600")]), of_sdk(600_000));
        assert_eq!(limit(&[("x-stainless-timeout", "2.5")]), of_sdk(2500));
        let silence = Some(Duration::from_secs(3));
        let both = limit(&[("x-stainless-timeout", "9"), ("x-stainless-read-timeout", "3.0")]);
        assert_eq!(both, of_sdk(9000).map(|of_sdk| ClientLimit { silence, ..of_sdk }));
        for nonsense in ["0", "-1", "never", "NaN", "1e300", ""] {
            assert_eq!(limit(&[("x-stainless-timeout", nonsense)]), Some(ClientLimit::default()), "{nonsense}");
            assert_eq!(limit(&[("x-request-timeout-ms", nonsense)]), None, "{nonsense}");
        }
        let on_purpose = Some(Duration::from_millis(1500));
        assert_eq!(
            limit(&[("x-request-timeout-ms", "1500")]),
            Some(ClientLimit { on_purpose, ..ClientLimit::default() })
        );
        assert_eq!(limit(&[("x-request-timeout-ms", "1.5")]), None);
    }
}
