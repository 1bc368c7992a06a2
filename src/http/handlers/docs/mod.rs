//! The API contract, as a file and as a page. The binary contains all of the page's assets.

mod swagger_ui;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::web::Path;
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;

use self::swagger_ui::Asset;
use crate::http::error::ApiError;

/// The API contract, served at `/openapi.yaml`.
pub const OPENAPI: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml"));

/// The script that opens the contract in Swagger UI.
const INITIALIZER: &[u8] = include_bytes!("initializer.js");

/// The page's content security policy. Swagger UI sets styles on its elements and draws its icons from data URLs; it
/// loads nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(in crate::http) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/yaml; charset=utf-8")).body(OPENAPI)
}

pub(in crate::http) async fn page() -> Result<HttpResponse, ApiError> {
    // The page refers to its assets by relative URLs.
    let Asset { content_type, bytes } = file("index.html")?;
    let page = String::from_utf8_lossy(&bytes)
        .replace("\"./", "\"/docs/")
        .replace("\"index.css", "\"/docs/index.css")
        .replace("Swagger UI", "Voxgate API");
    Ok(document(content_type).body(page))
}

pub(in crate::http) async fn asset(name: Path<String>) -> Result<HttpResponse, ApiError> {
    let Asset { content_type, bytes } = file(&name)?;
    Ok(document(content_type).body(bytes))
}

fn file(name: &str) -> Result<Asset, ApiError> {
    if name == "swagger-initializer.js" {
        return Ok(Asset { content_type: "text/javascript", bytes: Bytes::from_static(INITIALIZER) });
    }
    swagger_ui::asset(name).ok_or_else(|| ApiError::not_found("GET", &format!("/docs/{name}")))
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
