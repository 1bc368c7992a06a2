//! All routes.

use std::future::ready;

use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route};

use super::error::ApiError;
use super::handlers::{audio, docs, health, metrics, models, sessions, usage};

/// The API contract, served at `/openapi.yaml`.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Method and path of each public route, as `openapi.yaml` names them.
pub const ROUTES: [(&str, &str); 13] = [
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/audio/translations"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/usage"),
    ("POST", "/v1/sessions"),
    ("GET", "/v1/sessions"),
    ("DELETE", "/v1/sessions/{id}"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.yaml"),
    ("GET", "/docs"),
    ("GET", "/docs/{asset}"),
];

/// The pattern of `/v1/models/{model}`: model names may contain slashes (`Systran/faster-whisper-small`).
const MODEL: &str = "/v1/models/{model:.+}";

/// Returns a route by its pattern, for the log and the metrics.
pub(super) fn named(pattern: Option<&str>) -> &'static str {
    let pattern = pattern.map(|pattern| if pattern == MODEL { "/v1/models/{model}" } else { pattern });
    ROUTES.iter().map(|(_, path)| *path).find(|path| Some(*path) == pattern).unwrap_or("unknown")
}

/// Configures the routes of the public listener.
pub fn public(config: &mut ServiceConfig) {
    config
        .service(post("/v1/audio/transcriptions", audio::transcriptions))
        .service(post("/v1/audio/translations", audio::translations))
        .service(get("/v1/models", models::list))
        .service(get(MODEL, models::retrieve))
        .service(get("/v1/usage", usage::show))
        .service(
            web::resource("/v1/sessions")
                .route(web::post().to(sessions::open))
                .route(web::get().to(sessions::list))
                .route(web::head().to(sessions::list))
                .default_service(wrong_method("GET, HEAD, POST")),
        )
        .service(
            web::resource("/v1/sessions/{id}")
                .route(web::delete().to(sessions::end))
                .default_service(wrong_method("DELETE")),
        )
        .service(get("/openapi.yaml", docs::openapi))
        .service(get("/docs", docs::page))
        .service(get("/docs/{asset}", docs::asset));
    probes(config);
}

/// Configures the routes of the operational listener.
pub fn operational(config: &mut ServiceConfig) {
    config.service(get("/metrics", metrics::show));
    probes(config);
}

/// Configures the routes of both listeners.
fn probes(config: &mut ServiceConfig) {
    config
        .service(get("/health/live", health::live))
        .service(get("/health/ready", health::ready))
        .default_service(web::to(unknown_path));
}

fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let resource = web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler));
    resource.default_service(wrong_method("GET, HEAD"))
}

fn post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let resource = web::resource(path).route(web::post().to(handler));
    resource.default_service(wrong_method("POST"))
}

fn wrong_method(allowed: &'static str) -> Route {
    web::to(move |request: HttpRequest| {
        let error = ApiError::method_not_allowed(request.method().as_str(), allowed);
        ready(Err::<HttpResponse, _>(error))
    })
}

async fn unknown_path(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found(request.method().as_str(), request.path()))
}
