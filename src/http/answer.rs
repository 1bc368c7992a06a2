//! The gateway's own answers in JSON.

use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::Value;

/// Builds an answer with this body. Ends it with a line break, so that a terminal's prompt stands on its own line.
pub(super) fn json(mut response: HttpResponseBuilder, body: &Value) -> HttpResponse {
    response.content_type("application/json").body(format!("{body}\n"))
}
