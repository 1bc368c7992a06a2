//! The answer to a request of a live session, and whether to ask again.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::super::refusal::Refusal;
use crate::upstream::retry_after;

/// The header by which a gateway says that another try cannot help.
const SHOULD_RETRY: &str = "x-should-retry";
/// The code of a refusal because all that the caller may use is used up.
const QUOTA_SPENT: &str = "insufficient_quota";
/// The wait before a refused request is sent again, if the gateway names none, and the shortest and the longest one.
const USUAL_WAIT: Duration = Duration::from_secs(1);
const MIN_WAIT: Duration = Duration::from_millis(50);
const MAX_WAIT: Duration = Duration::from_mins(2);

/// An answer that was read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What an answer says about asking again. The pieces of a session are numbered, so that one that comes twice counts once:
/// any request may be sent again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the answer.
    Final,
    /// The gateway takes the request later, and says when.
    Later(Duration),
    /// The gateway, or something on the way to it, has failed.
    Failed {
        /// The wait that it asks for.
        wait: Option<Duration>,
    },
}

/// The members of an answer that matter here.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorMembers,
}

#[derive(Deserialize)]
struct ErrorMembers {
    next_seq: Option<u64>,
}

impl Answer {
    /// Judges the answer to a request whose success has the status `success`.
    pub(super) fn verdict(&self, success: StatusCode) -> Verdict {
        let wait = retry_after(&self.headers, SystemTime::now()).map(|wait| wait.clamp(MIN_WAIT, MAX_WAIT));
        let is_final = self.headers.get(SHOULD_RETRY).is_some_and(|value| value == "false");
        let is_spent = || self.refusal().code.as_deref() == Some(QUOTA_SPENT);
        match self.status {
            status if status == success => Verdict::Final,
            StatusCode::TOO_MANY_REQUESTS if is_final || is_spent() => Verdict::Final,
            StatusCode::TOO_MANY_REQUESTS => Verdict::Later(wait.unwrap_or(USUAL_WAIT)),
            StatusCode::REQUEST_TIMEOUT => Verdict::Failed { wait },
            // Another success, and a redirect, are of something else, such as a network that wants a login.
            status if status.is_client_error() => Verdict::Final,
            _ => Verdict::Failed { wait },
        }
    }

    /// Returns the gateway's error.
    pub(super) fn refusal(&self) -> Refusal {
        Refusal::read(&self.body, Some(self.status), &self.headers)
    }

    /// Returns the number of the piece with which to go on, if the error says it.
    pub(super) fn next_seq(&self) -> Option<u64> {
        serde_json::from_slice::<ErrorBody>(&self.body).ok()?.error.next_seq
    }

    /// Returns the body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &'static str, headers: &[(&'static str, &'static str)]) -> Verdict {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: Bytes::from_static(body.as_bytes()) }.verdict(StatusCode::ACCEPTED)
    }

    #[test]
    fn a_full_gateway_is_asked_when_it_says() {
        let later = |ms| Verdict::Later(Duration::from_millis(ms));
        assert_eq!(verdict(429, "", &[("retry-after-ms", "120"), ("retry-after", "1")]), later(120));
        assert_eq!(verdict(429, "", &[]), later(1000));
        assert_eq!(verdict(429, "", &[("retry-after-ms", "0")]), later(50));
        assert_eq!(verdict(429, "", &[("retry-after", "86400")]), later(120_000));
    }

    #[test]
    fn what_is_refused_for_good_is_not_asked_again() {
        let spent = r#"{"error":{"code":"insufficient_quota"}}"#;
        assert_eq!(verdict(429, spent, &[]), Verdict::Final);
        assert_eq!(verdict(429, "", &[("x-should-retry", "false")]), Verdict::Final);
        for status in [400, 401, 403, 404, 409, 410, 413, 202] {
            assert_eq!(verdict(status, "", &[]), Verdict::Final, "{status}");
        }
    }

    #[test]
    fn a_failure_and_a_page_on_the_way_are_asked_again() {
        for status in [200, 302, 408, 500, 502, 503, 504] {
            assert_eq!(verdict(status, "<html>", &[]), Verdict::Failed { wait: None }, "{status}");
        }
        let wait = Some(Duration::from_secs(3));
        assert_eq!(verdict(503, "", &[("retry-after", "3")]), Verdict::Failed { wait });
    }

    #[test]
    fn a_gap_names_the_piece_to_go_on_with() {
        let body = br#"{"error":{"code":"live_wrong_seq","next_seq":4}}"#;
        let answer = Answer { status: StatusCode::CONFLICT, headers: HeaderMap::new(), body: Bytes::from_static(body) };
        assert_eq!(answer.next_seq(), Some(4));
    }
}
