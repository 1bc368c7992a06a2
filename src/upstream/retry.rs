//! The meaning of a failed attempt: for its provider and key, and for the request.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::error::{Refused, RefusedBody, UpstreamError};
use super::providers::Observation;

/// The meaning of a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FailureMeaning {
    /// The evidence about the provider and the key.
    pub(super) observation: Observation,
    /// The next step of the request.
    pub(super) decision: RetryDecision,
}

/// The next step of a request after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryDecision {
    /// Return the error to the client.
    GiveUp,
    /// Try another candidate, or this one after a pause that is at least as long as the provider demands.
    TryAgain { scope: FailureScope, retry_after: Option<Duration> },
    /// Try another candidate; retrying this one would fail the same way.
    TryElsewhere { scope: FailureScope },
}

/// The candidates that a failure affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureScope {
    /// The key, for this model entry.
    Key,
    /// The model entry: its other keys would fail in the same way.
    Model,
    /// The provider: its other model entries would fail in the same way.
    Provider,
}

/// The time that a failed attempt had.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLeft {
    /// True if the request has no time left.
    pub(super) deadline_passed: bool,
    /// True if the attempt had all the time of the request.
    pub(super) had_full_time: bool,
}

impl FailureMeaning {
    /// Judges an error.
    pub(super) fn of(error: &UpstreamError, time: TimeLeft) -> Self {
        use UpstreamError as E;
        let (observation, decision) = match error {
            // The answers for other pieces leave no room, whoever gives this one.
            E::BadSettings | E::RecordingLost | E::Unavailable { .. } | E::TooLargeTogether { .. } => {
                (Observation::Inconclusive, RetryDecision::GiveUp)
            }
            E::Timeout if time.deadline_passed => {
                let observation = if time.had_full_time { Observation::Failed } else { Observation::Inconclusive };
                (observation, RetryDecision::GiveUp)
            }
            // The provider fell silent.
            E::Timeout | E::Unreachable | E::Broken => {
                (Observation::Failed, RetryDecision::TryAgain { scope: FailureScope::Provider, retry_after: None })
            }
            E::Page | E::NoTranscript => {
                (Observation::Failed, RetryDecision::TryAgain { scope: FailureScope::Model, retry_after: None })
            }
            // The error does not say which side caused it.
            E::ErrorAsAnswer { .. } => {
                (Observation::Inconclusive, RetryDecision::TryElsewhere { scope: FailureScope::Model })
            }
            // Another attempt would meet the same behaviour: it is not a temporary fault.
            E::TooLarge { .. } | E::Compressed => {
                (Observation::Failed, RetryDecision::TryElsewhere { scope: FailureScope::Provider })
            }
            E::Refused(refused) => return Self::of_refusal(refused),
        };
        Self { observation, decision }
    }

    /// Returns true if the provider is over its limit, which a wait changes: the account has money left.
    pub(super) fn is_rate_limited(&self) -> bool {
        matches!(self.observation, Observation::KeyRateLimited { no_quota: false, .. })
    }

    fn of_refusal(refused: &Refused) -> Self {
        let retry_after = refused.retry_after;
        // OpenAI sends this header to tell its SDKs that a retry would not help.
        let never = refused.headers.get("x-should-retry").is_some_and(|value| value == "false");
        let (observation, scope) = match refused.status {
            StatusCode::UNAUTHORIZED => {
                return Self {
                    observation: Observation::KeyRejected,
                    decision: RetryDecision::TryElsewhere { scope: FailureScope::Key },
                };
            }
            // Another key may have the permission that this one lacks.
            StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return Self {
                    observation: Observation::Inconclusive,
                    decision: RetryDecision::TryElsewhere { scope: FailureScope::Key },
                };
            }
            StatusCode::TOO_MANY_REQUESTS => {
                (Observation::KeyRateLimited { retry_after, no_quota: has_no_quota(refused) }, FailureScope::Key)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => (Observation::Inconclusive, FailureScope::Model),
            status if status.is_server_error() => (Observation::Failed, FailureScope::Model),
            status if status.is_client_error() => {
                return Self { observation: Observation::Inconclusive, decision: RetryDecision::GiveUp };
            }
            // Neither success nor an error: for example, a redirect.
            _ => {
                return Self {
                    observation: Observation::Failed,
                    decision: RetryDecision::TryElsewhere { scope: FailureScope::Provider },
                };
            }
        };
        let decision =
            if never { RetryDecision::TryElsewhere { scope } } else { RetryDecision::TryAgain { scope, retry_after } };
        Self { observation, decision }
    }
}

/// True if the refusal says that the account has no money left, which the start of the next minute does not change.
fn has_no_quota(refused: &Refused) -> bool {
    let RefusedBody::OpenAi(text) = &refused.body else { return false };
    let error = serde_json::from_str::<Value>(text).unwrap_or_default();
    ["code", "type"]
        .iter()
        .any(|member| error.pointer(&format!("/error/{member}")) == Some(&"insufficient_quota".into()))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use reqwest::header::HeaderMap;

    use super::*;
    use crate::upstream::backoff;

    const IN_TIME: TimeLeft = TimeLeft { deadline_passed: false, had_full_time: true };

    fn refused(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> UpstreamError {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = pairs.collect::<HeaderMap>();
        UpstreamError::Refused(Box::new(Refused {
            retry_after: backoff::retry_after(&headers, SystemTime::UNIX_EPOCH),
            provider: "p".to_owned(),
            request_id: None,
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            kind: None,
            code: None,
            body: RefusedBody::OpenAi(body.to_owned()),
        }))
    }

    fn judge(error: &UpstreamError) -> (Observation, RetryDecision) {
        let FailureMeaning { observation, decision } = FailureMeaning::of(error, IN_TIME);
        (observation, decision)
    }

    #[test]
    fn each_status_means_what_the_documentation_says() {
        let again = |scope| RetryDecision::TryAgain { scope, retry_after: None };
        let over = |retry_after| Observation::KeyRateLimited { retry_after, no_quota: false };
        let cases = [
            (400, (Observation::Inconclusive, RetryDecision::GiveUp)),
            (404, (Observation::Inconclusive, RetryDecision::GiveUp)),
            (413, (Observation::Inconclusive, RetryDecision::GiveUp)),
            (422, (Observation::Inconclusive, RetryDecision::GiveUp)),
            (401, (Observation::KeyRejected, RetryDecision::TryElsewhere { scope: FailureScope::Key })),
            (403, (Observation::Inconclusive, RetryDecision::TryElsewhere { scope: FailureScope::Key })),
            (408, (Observation::Inconclusive, again(FailureScope::Model))),
            (409, (Observation::Inconclusive, again(FailureScope::Model))),
            (429, (over(None), again(FailureScope::Key))),
            (500, (Observation::Failed, again(FailureScope::Model))),
            (503, (Observation::Failed, again(FailureScope::Model))),
            (599, (Observation::Failed, again(FailureScope::Model))),
            (204, (Observation::Failed, RetryDecision::TryElsewhere { scope: FailureScope::Provider })),
            (302, (Observation::Failed, RetryDecision::TryElsewhere { scope: FailureScope::Provider })),
            (999, (Observation::Failed, RetryDecision::TryElsewhere { scope: FailureScope::Provider })),
        ];
        for (status, meaning) in cases {
            assert_eq!(judge(&refused(status, &[], "{}")), meaning, "{status}");
        }
    }

    #[test]
    fn a_provider_says_when_to_come_back_and_whether() {
        let retry_after = Some(Duration::from_secs(7));
        let later = refused(429, &[("retry-after", "7")], "{}");
        let decision = RetryDecision::TryAgain { scope: FailureScope::Key, retry_after };
        assert_eq!(judge(&later), (Observation::KeyRateLimited { retry_after, no_quota: false }, decision));
        let never = refused(503, &[("x-should-retry", "false")], "{}");
        assert_eq!(judge(&never).1, RetryDecision::TryElsewhere { scope: FailureScope::Model });
        for member in ["code", "type"] {
            let poor = refused(429, &[], &format!(r#"{{"error":{{"{member}":"insufficient_quota"}}}}"#));
            assert_eq!(judge(&poor).0, Observation::KeyRateLimited { retry_after: None, no_quota: true });
        }
    }

    #[test]
    fn a_timeout_is_a_failure_unless_the_client_was_in_a_hurry() {
        let of = |deadline_passed, had_full_time| {
            let meaning = FailureMeaning::of(&UpstreamError::Timeout, TimeLeft { deadline_passed, had_full_time });
            (meaning.observation, meaning.decision)
        };
        assert_eq!(of(true, true), (Observation::Failed, RetryDecision::GiveUp));
        assert_eq!(of(true, false), (Observation::Inconclusive, RetryDecision::GiveUp));
        let silence = RetryDecision::TryAgain { scope: FailureScope::Provider, retry_after: None };
        assert_eq!(of(false, false), (Observation::Failed, silence));
    }
}
