//! The beginning of every answer with a document.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// Begins an answer with a document, which may do what the content security `policy` allows.
///
/// A gateway that was updated serves other documents at the same addresses, so browsers ask each time.
pub(super) fn document(content_type: &str, policy: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    response
}
