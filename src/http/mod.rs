//! The HTTP layer: routes, headers, errors, and the page that documents them.
//!
//! This module may use every other. A handler shows the path of a request in named steps, and nothing more.

mod answer;
mod concurrency;
mod context;
mod dispatch;
mod early;
mod early_answer;
mod early_pieces;
mod error;
mod expect;
mod handlers;
mod headers;
mod malformed;
mod middleware;
mod piece_deadlines;
mod pieces;
mod preflight;
mod query;
mod routes;
mod state;

pub use error::{ErrorCode, ErrorKind};
pub use expect::before_continue;
pub use handlers::docs::OPENAPI;
pub use malformed::{HeadProblem, MalformedHead, refuse, refuse_unrecorded};
pub use middleware::cors::cors;
pub use middleware::request_log::record_requests;
pub use routes::{ApiRoute, operational, public, public_routes};
pub use state::{AppState, CurrentState, SharedState, WriteMetrics};

use actix_web::http::header::{HeaderName, HeaderValue};

/// Converts a header of the provider's answer: the client and the server side each have their own types.
fn answer_header(
    name: &reqwest::header::HeaderName,
    value: &reqwest::header::HeaderValue,
) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
}
