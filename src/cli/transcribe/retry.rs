//! Whether to send a recording again after a refusal.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::refusal::Refusal;
use crate::upstream::retry_after;

/// The number of times that a recording is sent again.
pub(super) const MAX_RETRIES: u32 = 6;

/// The longest wait that is kept to. A gateway that asks for more is full for longer than a person wants to watch.
const MAX_WAIT: Duration = Duration::from_mins(2);

/// The shortest wait, so that a gateway that asks for none is not flooded.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// The header by which a gateway says that another try may cost again, or cannot help.
const SHOULD_RETRY: &str = "x-should-retry";

/// The code of a refusal because as many requests of the caller are in flight as may be. No one knows when one ends.
const TOO_MANY_IN_FLIGHT: &str = "concurrency_limit_exceeded";

/// The codes of refusals that cost nothing. Another server on the way, such as a load balancer, promises no such thing.
const FREE: [&str; 5] =
    ["rate_limit_exceeded", "provider_unavailable", "store_unavailable", "issuer_unavailable", "overloaded"];

/// The code of a refusal because all that the caller may use is used up.
const QUOTA_SPENT: &str = "insufficient_quota";

/// The codes of refusals with 403 that hold for every recording, since they are about the caller, the model and the way.
const FORBIDDEN: [&str; 6] = [
    "insufficient_scope",
    "model_not_allowed",
    "model_not_priced",
    "plan_not_allowed",
    "unknown_plan",
    "https_required",
];

/// The next step after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Another try cannot help, or may be charged.
    Never,
    /// Neither another try nor another recording can help.
    NeverAny,
    /// Another try can help after this time.
    After(Duration),
    /// Another try can help when a request of the same caller has ended.
    WhenOneHasEnded,
}

impl Retry {
    /// Decides by what the gateway says. It charges nothing for what it refuses with 429 or 503, and says when another try
    /// can help. Anything else, and a lost connection too, may have been charged. A refusal of the caller is not about this
    /// recording alone.
    pub(super) fn after(refusal: &Refusal, status: StatusCode, headers: &HeaderMap) -> Self {
        let code = refusal.code.as_deref().unwrap_or_default();
        let is_final = headers.get(SHOULD_RETRY).is_some_and(|value| value == "false");
        match status {
            StatusCode::UNAUTHORIZED => Self::NeverAny,
            StatusCode::FORBIDDEN if is_final || FORBIDDEN.contains(&code) => Self::NeverAny,
            StatusCode::TOO_MANY_REQUESTS if is_final || code == QUOTA_SPENT => Self::NeverAny,
            StatusCode::TOO_MANY_REQUESTS if code == TOO_MANY_IN_FLIGHT => Self::WhenOneHasEnded,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if !is_final && FREE.contains(&code) => {
                match retry_after(headers, SystemTime::now()) {
                    Some(wait) if wait <= MAX_WAIT => Self::After(wait.max(MIN_WAIT)),
                    _ => Self::Never,
                }
            }
            _ => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(status: u16, code: &str, headers: &[(&'static str, &'static str)]) -> Retry {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let refusal = Refusal { status: Some(status), code: Some(code.to_owned()), message: None, request_id: None };
        Retry::after(&refusal, StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn only_what_cost_nothing_is_sent_again() {
        let soon = ("retry-after", "3");
        assert_eq!(decide(429, "rate_limit_exceeded", &[soon]), Retry::After(Duration::from_secs(3)));
        assert_eq!(decide(503, "overloaded", &[soon]), Retry::After(Duration::from_secs(3)));
        assert_eq!(decide(429, "concurrency_limit_exceeded", &[]), Retry::WhenOneHasEnded);
        for (status, headers) in [
            (502, vec![soon]),
            (504, vec![soon]),
            (400, vec![soon]),
            (429, vec![]),
            (503, vec![("retry-after", "3600")]),
            (503, vec![soon, ("x-should-retry", "false")]),
        ] {
            assert_eq!(decide(status, "overloaded", &headers), Retry::Never, "{status} {headers:?}");
        }
    }

    #[test]
    fn only_the_gateways_own_refusals_are_free() {
        for status in [429, 503] {
            assert_eq!(decide(status, "server_busy", &[("retry-after", "3")]), Retry::Never, "{status}");
        }
    }

    #[test]
    fn no_gateway_is_asked_again_without_a_wait() {
        assert_eq!(decide(503, "overloaded", &[("retry-after", "0")]), Retry::After(MIN_WAIT));
    }

    #[test]
    fn a_refusal_of_the_caller_is_one_of_all_recordings() {
        let last = ("x-should-retry", "false");
        for (status, code, headers) in [
            (401, "token_expired", vec![]),
            (403, "insufficient_scope", vec![]),
            (403, "other", vec![last]),
            (429, "insufficient_quota", vec![]),
            (429, "rate_limit_exceeded", vec![last]),
        ] {
            assert_eq!(decide(status, code, &headers), Retry::NeverAny, "{status} {code}");
        }
        assert_eq!(decide(403, "other", &[]), Retry::Never);
    }
}
