//! Pages of other origins: which may call, and what they may see of the answer.

use actix_cors::{Cors, CorsError};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::ORIGIN;
use actix_web::middleware::Condition;

use crate::config;
use crate::http::error::ApiError;
use crate::upstream;

/// What the answers of this gateway say in their headers, beyond what every page may see and what providers said.
const SEEN: [&str; 9] = [
    "x-request-id",
    "x-voxgate-provider",
    "x-voxgate-attempts",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "ratelimit",
    "ratelimit-policy",
    "www-authenticate",
];

/// Lets pages of the origins that are set call, and no others. A token comes in a header, never in a cookie, so that none is
/// sent without the page's own doing; which other headers there are is no matter.
pub fn cors(settings: &config::Cors) -> Condition<Cors> {
    let max_age = usize::try_from(settings.max_age.as_secs()).unwrap_or(usize::MAX);
    let cors = settings.origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    let cors = cors
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_any_header()
        .expose_headers(SEEN.into_iter().chain(upstream::ALLOWED))
        .max_age(max_age);
    Condition::new(!settings.origins.is_empty(), cors)
}

/// What a page is told that may not call, in the shape of every other error.
pub(in crate::http) fn refusal(request: &HttpRequest, error: &CorsError) -> ApiError {
    let origin = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok());
    match (error, origin) {
        (CorsError::OriginNotAllowed, Some(origin)) => {
            let shown: String = origin.chars().filter(|c| !c.is_control()).take(200).collect();
            let message =
                format!("Pages of '{shown}' may not call this gateway. The setting cors.origins lists those that may.");
            ApiError::forbidden("origin_not_allowed", message)
        }
        _ => ApiError::forbidden("origin_not_allowed", format!("A page may not ask for this: {error}")),
    }
}
