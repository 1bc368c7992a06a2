//! The time limits that a client states. The gateway stops work for a client that has given up.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use tokio::time::Instant;

use crate::http::error::ApiError;
use crate::upstream::Deadline;

/// The limits in OpenAI's SDKs' headers, in seconds. Node's SDK waits this long for the head of the answer, counted
/// from the start of the request. Python's allows this much silence, counted from the end of its upload.
const SDK_TIMEOUT: &str = "x-stainless-timeout";
const SDK_READ_TIMEOUT: &str = "x-stainless-read-timeout";
/// The limit that a client sets on purpose, in milliseconds.
const REQUEST_TIMEOUT: &str = "x-request-timeout-ms";

/// The time that a client waits for an answer to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) struct ClientTimeouts {
    requested: Option<Duration>,
    sdk: Option<Duration>,
    silence: Option<Duration>,
}

impl ClientTimeouts {
    /// Reads the headers. Ignores invalid values from an SDK, since the user did not write them.
    pub(in crate::http) fn parse(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        let seconds =
            |name: &str| Duration::try_from_secs_f64(text(name)?.parse().ok()?).ok().filter(|it| !it.is_zero());
        let (sdk, silence) = (seconds(SDK_TIMEOUT), seconds(SDK_READ_TIMEOUT));
        let requested = match text(REQUEST_TIMEOUT).map(str::parse::<u64>) {
            None => None,
            Some(Ok(ms)) if ms > 0 => Some(Duration::from_millis(ms)),
            Some(_) => {
                return Err(ApiError::invalid_parameter(REQUEST_TIMEOUT, "it takes whole milliseconds, 1 or more"));
            }
        };
        Ok(Self { requested, sdk, silence })
    }

    /// Returns the deadline of a request that may take `max`, came at `arrival` and was complete at `sent`, which is `None` while the
    /// request is still arriving. An SDK whose stream gets a keep-alive within its limit goes on waiting, so such a
    /// limit does not apply to a stream.
    pub(in crate::http) fn deadline(
        self,
        arrival: Instant,
        sent: Option<Instant>,
        stream: bool,
        max: Duration,
        keep_alive: Duration,
    ) -> Deadline {
        let applies = |limit: &Duration| !stream || *limit <= keep_alive;
        let limits = [
            self.requested.map(|limit| (arrival, limit)),
            self.sdk.filter(applies).map(|limit| (arrival, limit)),
            sent.zip(self.silence.filter(applies)),
        ];
        let whole = arrival + max;
        let ends = limits.into_iter().flatten().map(|(since, limit)| since + limit.min(max));
        let beginning = ends.fold(whole, Instant::min);
        Deadline { whole, beginning }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(pairs: &[(&'static str, &'static str)]) -> Option<ClientTimeouts> {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        ClientTimeouts::parse(&pairs.collect()).ok()
    }

    #[test]
    fn an_sdks_limit_is_taken_where_it_makes_sense_and_ones_own_must() {
        let sdk = |ms| Some(ClientTimeouts { sdk: Some(Duration::from_millis(ms)), ..ClientTimeouts::default() });
        assert_eq!(limit(&[("x-stainless-timeout", "600")]), sdk(600_000));
        assert_eq!(limit(&[("x-stainless-timeout", "2.5")]), sdk(2500));
        let silence = Some(Duration::from_secs(3));
        let both = limit(&[("x-stainless-timeout", "9"), ("x-stainless-read-timeout", "3.0")]);
        assert_eq!(both, sdk(9000).map(|sdk| ClientTimeouts { silence, ..sdk }));
        for nonsense in ["0", "-1", "never", "NaN", "1e300", ""] {
            assert_eq!(limit(&[("x-stainless-timeout", nonsense)]), Some(ClientTimeouts::default()), "{nonsense}");
            assert_eq!(limit(&[("x-request-timeout-ms", nonsense)]), None, "{nonsense}");
        }
        let requested = Some(Duration::from_millis(1500));
        assert_eq!(
            limit(&[("x-request-timeout-ms", "1500")]),
            Some(ClientTimeouts { requested, ..ClientTimeouts::default() })
        );
        assert_eq!(limit(&[("x-request-timeout-ms", "1.5")]), None);
    }
}
