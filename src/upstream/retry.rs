//! What a failed try means: for its provider and key, and for the request.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::backoff;
use super::providers::Observation;
use super::candidates::Scope;
use super::{Refused, RefusedBody, UpstreamError};

/// What a failed try means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// For the provider and the key.
    pub(super) shown: Observation,
    /// For the request.
    pub(super) then: NextStep,
}

/// What follows for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// The client is told.
    GiveUp,
    /// Somebody else may be asked; the same only after a while, and not before the provider says so.
    TryAgain { scope: Scope, told: Option<Duration> },
    /// Somebody else may be asked; the same would lead to the same.
    TryElsewhere { scope: Scope },
}

impl Verdict {
    /// `late`: the request has no time left. `fair`: the try had all the time that there is.
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
            // Of what, and whose fault it is, nobody can know.
            E::ErrorAsAnswer { .. } => (Observation::Nothing, NextStep::TryElsewhere { scope: Scope::Row }),
            // These are its ways, not a moment's weakness.
            E::TooLarge { .. } | E::Compressed => {
                (Observation::Failed, NextStep::TryElsewhere { scope: Scope::Provider })
            }
            E::Refused(refused) => return Self::of_refusal(refused),
        };
        Self { shown, then }
    }

    fn of_refusal(refused: &Refused) -> Self {
        let told = backoff::told(&refused.headers);
        // By this header OpenAI tells its SDKs that it would not help.
        let never = refused.headers.get("x-should-retry").is_some_and(|value| value == "false");
        let (shown, scope) = match refused.status {
            StatusCode::UNAUTHORIZED => {
                return Self { shown: Observation::KeyRefused, then: NextStep::TryElsewhere { scope: Scope::Key } };
            }
            // Another key may be allowed to do what this one is not.
            StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                return Self { shown: Observation::Nothing, then: NextStep::TryElsewhere { scope: Scope::Key } };
            }
            StatusCode::TOO_MANY_REQUESTS => {
                (Observation::OverLimit { told, no_quota: has_no_quota(refused) }, Scope::Key)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => (Observation::Nothing, Scope::Row),
            status if status.is_server_error() => (Observation::Failed, Scope::Row),
            status if status.is_client_error() => return Self { shown: Observation::Nothing, then: NextStep::GiveUp },
            // Neither an answer nor an error, a redirect for instance.
            _ => return Self { shown: Observation::Failed, then: NextStep::TryElsewhere { scope: Scope::Provider } },
        };
        let then = if never { NextStep::TryElsewhere { scope } } else { NextStep::TryAgain { scope, told } };
        Self { shown, then }
    }
}

/// Whether it says that the account has no money left, which no waiting for a minute's end brings back.
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
