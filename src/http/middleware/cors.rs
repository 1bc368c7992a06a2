//! CORS: the origins whose pages may call the gateway, and the headers that those pages may read.

use actix_cors::{Cors, CorsError};
use actix_web::HttpRequest;
use actix_web::http::header::ORIGIN;
use actix_web::middleware::Condition;

use crate::config;
use crate::domain::text::printable;
use crate::http::error::{ApiError, ErrorCode};
use crate::http::routes;
use crate::upstream;

/// The gateway's own response headers that pages may read, besides the ones that CORS always allows and the providers'
/// headers.
const EXPOSED: [&str; 12] = [
    "x-request-id",
    "x-voxgate-provider",
    "x-voxgate-attempts",
    "x-voxgate-pieces",
    "x-voxgate-speech-ms",
    "x-voxgate-live",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "ratelimit",
    "ratelimit-policy",
    "www-authenticate",
];

/// The maximum length of an origin in an error, in characters.
const MAX_SHOWN_ORIGIN: usize = 200;

/// Allows calls from pages of the configured origins only. Any request header is allowed: the token comes in a header,
/// never in a cookie, so a browser sends none unless the page does.
pub fn cors(settings: &config::Cors) -> Condition<Cors> {
    let max_age = usize::try_from(settings.max_age.as_secs()).unwrap_or(usize::MAX);
    let cors = settings.origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    let cors = cors
        .allowed_methods(routes::methods())
        .allow_any_header()
        .expose_headers(EXPOSED.into_iter().chain(upstream::ALLOWED))
        .max_age(max_age);
    Condition::new(!settings.origins.is_empty(), cors)
}

/// Builds the error for a page that may not call, in the shape of every other error.
pub(in crate::http) fn refusal(request: &HttpRequest, error: &CorsError) -> ApiError {
    let origin = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok());
    match (error, origin) {
        (CorsError::OriginNotAllowed, Some(origin)) => {
            let shown = printable(origin, MAX_SHOWN_ORIGIN);
            let message =
                format!("Pages of '{shown}' may not call this gateway. The setting cors.origins lists those that may.");
            ApiError::new(ErrorCode::OriginNotAllowed, message)
        }
        _ => ApiError::new(ErrorCode::OriginNotAllowed, format!("A page may not ask for this: {error}")),
    }
}
