//! The API contract, as a file and as a page, and the documentation. The binary contains all of it.

mod answer;
mod pages;
mod swagger_ui;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Path;
use bytes::Bytes;

use self::answer::document;
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
    Ok(document(content_type, POLICY).body(page))
}

/// Serves a page of the documentation or one of its files, or an asset of the API page.
pub(in crate::http) async fn asset(name: Path<String>) -> Result<HttpResponse, ApiError> {
    if let Some(response) = pages::serve(&name) {
        return Ok(response);
    }
    let Asset { content_type, bytes } = file(&name)?;
    Ok(document(content_type, POLICY).body(bytes))
}

/// Serves the list of the documentation's pages for programs.
pub(in crate::http) async fn llms() -> HttpResponse {
    pages::serve_list()
}

fn file(name: &str) -> Result<Asset, ApiError> {
    if name == "swagger-initializer.js" {
        return Ok(Asset { content_type: "text/javascript", bytes: Bytes::from_static(INITIALIZER) });
    }
    swagger_ui::asset(name).ok_or_else(|| ApiError::not_found("GET", &format!("/docs/{name}")))
}
