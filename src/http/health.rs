//! Whether the process lives, and whether it wants requests.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde_json::json;

use super::House;

pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": "live" }))
}

/// While requests in flight are finished, a load balancer is told to go elsewhere.
pub(super) async fn ready(house: Data<House>) -> HttpResponse {
    let (mut response, status) = if house.is_stopping() {
        (HttpResponse::ServiceUnavailable(), "stopping")
    } else {
        (HttpResponse::Ok(), "ready")
    };
    response.insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": status }))
}
