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

/// The header by which a gateway says that another try may cost again, or cannot help.
const SHOULD_RETRY: &str = "x-should-retry";

/// The code of a refusal because as many requests of the caller are in flight as may be. No one knows when one ends.
const TOO_MANY_IN_FLIGHT: &str = "concurrency_limit_exceeded";

/// What to do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Another try cannot help, or may be charged.
    Never,
    /// Another try can help after this time.
    After(Duration),
    /// Another try can help when a request of the same caller has ended.
    WhenOneHasEnded,
}

impl Retry {
    /// Decides by what the gateway says. It charges nothing for what it refuses with 429 or 503, and says when another try
    /// can help. Anything else, and a lost connection too, may have been charged.
    pub(super) fn after(refusal: &Refusal, status: StatusCode, headers: &HeaderMap) -> Self {
        let is_free = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if !is_free || headers.get(SHOULD_RETRY).is_some_and(|value| value == "false") {
            return Self::Never;
        }
        if refusal.code.as_deref() == Some(TOO_MANY_IN_FLIGHT) {
            return Self::WhenOneHasEnded;
        }
        match retry_after(headers, SystemTime::now()) {
            Some(wait) if wait <= MAX_WAIT => Self::After(wait),
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
            (429, vec![soon, ("x-should-retry", "false")]),
            (429, vec![]),
            (503, vec![("retry-after", "3600")]),
        ] {
            assert_eq!(decide(status, "other", &headers), Retry::Never, "{status} {headers:?}");
        }
    }
}
