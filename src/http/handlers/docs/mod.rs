//! The API contract, as a file and as a page, and the documentation. The binary contains all of it.

mod pages;
mod swagger_ui;

use std::sync::LazyLock;

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::document::Document;
use crate::http::error::ApiError;

/// The API contract, served at `/openapi.yaml`.
pub const OPENAPI: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml"));

/// The script that opens the contract in Swagger UI.
static INITIALIZER: LazyLock<Document> =
    LazyLock::new(|| Document::new("text/javascript", include_str!("initializer.js")));

/// The page's content security policy. Swagger UI sets styles on its elements and draws its icons from data URLs; it
/// loads nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONTRACT: LazyLock<Document> = LazyLock::new(|| Document::new("application/yaml; charset=utf-8", OPENAPI));

/// The page of Swagger UI. It refers to its assets by relative addresses.
static PAGE: LazyLock<Option<Document>> = LazyLock::new(|| {
    let index = swagger_ui::asset("index.html")?;
    let page = String::from_utf8_lossy(&index.bytes)
        .replace("\"./", "\"/docs/")
        .replace("\"index.css", "\"/docs/index.css")
        .replace("Swagger UI", "Voxgate API");
    Some(Document::new(index.content_type, page))
});

pub(in crate::http) async fn openapi(request: HttpRequest) -> HttpResponse {
    CONTRACT.answer(&request, [])
}

pub(in crate::http) async fn page(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = PAGE.as_ref().ok_or_else(|| ApiError::not_found("GET", "/docs"))?;
    Ok(page.answer(&request, [(CONTENT_SECURITY_POLICY, POLICY)]))
}

/// Serves a page of the documentation or one of its files, or an asset of the API page.
pub(in crate::http) async fn asset(name: Path<String>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    // Some write a slash after the name of a page. Links of the pages begin at the root, and lead to the same from there.
    let plain = name.strip_suffix('/').unwrap_or(&name);
    if let Some(response) = pages::serve(plain, &request) {
        return Ok(response);
    }
    let asset = asset_of_page(plain).ok_or_else(|| ApiError::not_found("GET", &format!("/docs/{name}")))?;
    Ok(asset.answer(&request, [(CONTENT_SECURITY_POLICY, POLICY)]))
}

/// Serves the list of the documentation's pages for programs.
pub(in crate::http) async fn llms(request: HttpRequest) -> HttpResponse {
    pages::serve_list(&request)
}

fn asset_of_page(name: &str) -> Option<&'static Document> {
    if name == "swagger-initializer.js" { Some(&INITIALIZER) } else { swagger_ui::asset(name) }
}
