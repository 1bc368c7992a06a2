//! Answers that name callers and money: no cache keeps them, and no other page can read or frame them.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::Value;

use crate::http::answer;

/// The content security policy of what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Begins an answer with this content security policy.
pub(in crate::http) fn begin(status: StatusCode, policy: &str) -> HttpResponseBuilder {
    let mut response = HttpResponseBuilder::new(status);
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"));
    response
}

/// Begins an answer that is no page.
pub(super) fn data(status: StatusCode) -> HttpResponseBuilder {
    begin(status, NOTHING)
}

/// Builds an answer with this body.
pub(super) fn json(body: &Value) -> HttpResponse {
    answer::json(data(StatusCode::OK), body)
}
