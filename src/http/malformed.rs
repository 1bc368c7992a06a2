//! The answer to input that is not a valid request: a malformed, oversized or slow head. No route or handler sees it,
//! but the client still gets one clear error with a request id, and the log gets one line.

use std::fmt::Write;
use std::time::SystemTime;

use actix_web::ResponseError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::ApiError;
use super::headers::common::CommonHeaders;
use super::middleware::https::RequestScheme;
use super::middleware::request_log::record_refusal;
use super::state::AppState;
use crate::domain::Scheme;
use crate::exchange::Record;
use crate::telemetry::new_request_id;

/// The method and route, in log and metrics, of a request that could not be parsed.
const UNKNOWN: &str = "unknown";

/// A head that no handler sees.
#[derive(Debug)]
pub struct MalformedHead {
    /// The kind of the problem.
    pub problem: HeadProblem,
    /// The problem, in a sentence for the client.
    pub message: String,
}

/// The kinds of problems with a head, each with its own status and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadProblem {
    /// It is not a valid request.
    Malformed,
    /// The target of its request line is too long.
    TargetTooLong,
    /// The whole is too large.
    TooLarge,
    /// It did not arrive in time.
    Slow,
}

/// Builds the public listener's answer and records it as a request.
pub fn refuse(state: &AppState, head: MalformedHead, scheme: Scheme) -> Vec<u8> {
    let error = ApiError::from(head);
    let record = Record::start(new_request_id(), UNKNOWN, UNKNOWN);
    record_refusal(&record, &error);
    let mut headers = HeaderMap::new();
    let scheme = RequestScheme::new(&state.settings.fixed.server, scheme, None, &headers);
    CommonHeaders { state, scheme, record: &record, caller: None }.write(&mut headers);
    written(&error, &headers)
}

/// Builds the operational listener's answer, without a record.
pub fn refuse_unrecorded(head: MalformedHead) -> Vec<u8> {
    written(&ApiError::from(head), &HeaderMap::new())
}

fn written(error: &ApiError, headers: &HeaderMap) -> Vec<u8> {
    let (status, body) = (error.status_code(), error.json());
    let (reason, date) = (status.canonical_reason().unwrap_or_default(), httpdate::fmt_http_date(SystemTime::now()));
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = write!(text, "{name}: {value}\r\n");
    };
    for (name, value) in headers {
        shown(name, value, &mut line);
    }
    line("content-type", "application/json");
    line("content-length", &body.len().to_string());
    line("connection", "close");
    line("date", &date);
    format!("HTTP/1.1 {} {reason}\r\n{text}\r\n{body}", status.as_u16()).into_bytes()
}

fn shown(name: &HeaderName, value: &HeaderValue, line: &mut impl FnMut(&str, &str)) {
    if let Ok(value) = value.to_str() {
        line(name.as_str(), value);
    }
}
