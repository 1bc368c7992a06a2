//! The gateway's own answers in JSON.

use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::Value;

/// An answer with this body. It ends with a line break, so that a terminal's prompt stands on a line of its own.
pub(super) fn json(mut response: HttpResponseBuilder, body: &Value) -> HttpResponse {
    response.content_type("application/json").body(format!("{body}\n"))
}
