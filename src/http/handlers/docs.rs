//! The API contract, as a file and as a page. The binary contains all of the page's assets.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::web::Path;
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use utoipa_swagger_ui::{Config, SwaggerFile, serve};

use crate::http::error::ApiError;

/// The API contract, served at `/openapi.yaml`.
pub const OPENAPI: &str = include_str!("../../../openapi.yaml");

static CONFIG: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.yaml").try_it_out_enabled(true).use_base_layout()));

/// The page's content security policy. Swagger UI sets styles on its elements and draws its icons from data URLs; it
/// loads nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(in crate::http) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/yaml; charset=utf-8")).body(OPENAPI)
}

pub(in crate::http) async fn page() -> Result<HttpResponse, ApiError> {
    // The page refers to its assets by relative URLs.
    let SwaggerFile { bytes, .. } = file("index.html")?;
    let page = String::from_utf8_lossy(&bytes)
        .replace("\"./", "\"/docs/")
        .replace("\"index.css", "\"/docs/index.css")
        .replace("Swagger UI", "Voxgate API");
    Ok(document("text/html; charset=utf-8").body(page))
}

pub(in crate::http) async fn asset(name: Path<String>) -> Result<HttpResponse, ApiError> {
    let file = file(&name)?;
    // Do not copy embedded assets: a client that reads nothing could make the gateway hold a copy for each of its
    // streams.
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Ok(document(&file.content_type).body(bytes))
}

fn file(name: &str) -> Result<SwaggerFile<'static>, ApiError> {
    let missing = || ApiError::not_found("GET", &format!("/docs/{name}"));
    serve(name, Arc::clone(&CONFIG)).ok().flatten().ok_or_else(missing)
}

fn document(content_type: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    response
}
