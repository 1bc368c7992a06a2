//! The meaning of a failed attempt: for its provider and key, and for the request.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::candidates::Scope;
use super::providers::Observation;
use super::{Refused, RefusedBody, UpstreamError, backoff};

/// The meaning of a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The consequence for the provider and the key.
    pub(super) shown: Observation,
    /// The consequence for the request.
    pub(super) then: NextStep,
}

/// The next step of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Return the error to the client.
    GiveUp,
    /// Try another candidate, or this one after a pause that is at least as long as the provider demands.
    TryAgain { scope: Scope, told: Option<Duration> },
    /// Try another candidate; retrying this one would fail the same way.
    TryElsewhere { scope: Scope },
}

impl Verdict {
    /// Judges an error. `late`: the request has no time left. `fair`: the attempt had all the time of the request.
    pub(super) fn of(error: &UpstreamError, late: bool, fair: bool) -> Self {
        use UpstreamError as E;
        let (shown, then) = match error {
            E::NoProvider | E::BadSettings | E::RecordingLost | E::Unavailable { .. } => {
                (Observation::Nothing, NextStep::GiveUp)
            }
            E::Timeout if late => (if fair { Observation::Failed } else { Observation::Nothing }, NextStep::GiveUp),
            // The provider fell silent.
            E::Timeout | E::Unreachable | E::Broken => {
                (Observation::Failed, NextStep::TryAgain { scope: Scope::Provider, told: None })
            }
            E::Page | E::NoTranscript => (Observation::Failed, NextStep::TryAgain { scope: Scope::Row, told: None }),
            // The error does not say which side caused it.
            E::ErrorAsAnswer { .. } => (Observation::Nothing, NextStep::TryElsewhere { scope: Scope::Row }),
            // Another attempt would meet the same behaviour: it is not a temporary fault.
            E::TooLarge { .. } | E::Compressed => {
                (Observation::Failed, NextStep::TryElsewhere { scope: Scope::Provider })
            }
            E::Refused(refused) => return Self::of_refusal(refused),
        };
        Self { shown, then }
    }

    fn of_refusal(refused: &Refused) -> Self {
        let told = backoff::told(&refused.headers);
        // OpenAI sends this header to tell its SDKs that a retry would not help.
        let never = refused.headers.get("x-should-retry").is_some_and(|value| value == "false");
        let (shown, scope) = match refused.status {
            StatusCode::UNAUTHORIZED => {
                return Self { shown: Observation::KeyRefused, then: NextStep::TryElsewhere { scope: Scope::Key } };
            }
            // Another key may have the permission that this one lacks.
            StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return Self { shown: Observation::Nothing, then: NextStep::TryElsewhere { scope: Scope::Key } };
            }
            StatusCode::TOO_MANY_REQUESTS => {
                (Observation::OverLimit { told, no_quota: has_no_quota(refused) }, Scope::Key)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => (Observation::Nothing, Scope::Row),
            status if status.is_server_error() => (Observation::Failed, Scope::Row),
            status if status.is_client_error() => return Self { shown: Observation::Nothing, then: NextStep::GiveUp },
            // Neither success nor an error: for example, a redirect.
            _ => return Self { shown: Observation::Failed, then: NextStep::TryElsewhere { scope: Scope::Provider } },
        };
        let then = if never { NextStep::TryElsewhere { scope } } else { NextStep::TryAgain { scope, told } };
        Self { shown, then }
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
    use reqwest::header::HeaderMap;

    use super::*;

    fn refused(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> UpstreamError {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        UpstreamError::Refused(Box::new(Refused {
            provider: "p".to_owned(),
            request_id: None,
            status: StatusCode::from_u16(status).unwrap(),
            headers: pairs.collect::<HeaderMap>(),
            kind: None,
            code: None,
            body: RefusedBody::OpenAi(body.to_owned()),
        }))
    }

    fn verdict(error: &UpstreamError) -> (Observation, NextStep) {
        let Verdict { shown, then } = Verdict::of(error, false, true);
        (shown, then)
    }

    #[test]
    fn each_status_means_what_the_documentation_says() {
        let again = |scope| NextStep::TryAgain { scope, told: None };
        let over = |told| Observation::OverLimit { told, no_quota: false };
        let cases = [
            (400, (Observation::Nothing, NextStep::GiveUp)),
            (404, (Observation::Nothing, NextStep::GiveUp)),
            (413, (Observation::Nothing, NextStep::GiveUp)),
            (422, (Observation::Nothing, NextStep::GiveUp)),
            (401, (Observation::KeyRefused, NextStep::TryElsewhere { scope: Scope::Key })),
            (403, (Observation::Nothing, NextStep::TryElsewhere { scope: Scope::Key })),
            (408, (Observation::Nothing, again(Scope::Row))),
            (409, (Observation::Nothing, again(Scope::Row))),
            (429, (over(None), again(Scope::Key))),
            (500, (Observation::Failed, again(Scope::Row))),
            (503, (Observation::Failed, again(Scope::Row))),
            (599, (Observation::Failed, again(Scope::Row))),
            (204, (Observation::Failed, NextStep::TryElsewhere { scope: Scope::Provider })),
            (302, (Observation::Failed, NextStep::TryElsewhere { scope: Scope::Provider })),
            (999, (Observation::Failed, NextStep::TryElsewhere { scope: Scope::Provider })),
        ];
        for (status, meaning) in cases {
            assert_eq!(verdict(&refused(status, &[], "{}")), meaning, "{status}");
        }
    }

    #[test]
    fn a_provider_says_when_to_come_back_and_whether() {
        let told = Some(Duration::from_secs(7));
        let later = refused(429, &[("retry-after", "7")], "{}");
        let then = NextStep::TryAgain { scope: Scope::Key, told };
        assert_eq!(verdict(&later), (Observation::OverLimit { told, no_quota: false }, then));
        let never = refused(503, &[("x-should-retry", "false")], "{}");
        assert_eq!(verdict(&never).1, NextStep::TryElsewhere { scope: Scope::Row });
        for member in ["code", "type"] {
            let poor = refused(429, &[], &format!(r#"{{"error":{{"{member}":"insufficient_quota"}}}}"#));
            assert_eq!(verdict(&poor).0, Observation::OverLimit { told: None, no_quota: true });
        }
    }

    #[test]
    fn a_timeout_is_a_failure_unless_the_client_was_in_a_hurry() {
        let of = |late, fair| Verdict::of(&UpstreamError::Timeout, late, fair);
        assert_eq!(of(true, true), Verdict { shown: Observation::Failed, then: NextStep::GiveUp });
        assert_eq!(of(true, false), Verdict { shown: Observation::Nothing, then: NextStep::GiveUp });
        let silence = NextStep::TryAgain { scope: Scope::Provider, told: None };
        assert_eq!(of(false, false), Verdict { shown: Observation::Failed, then: silence });
    }
}
