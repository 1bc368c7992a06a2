//! `GET /`, the console: a page that records, sends and reads, built on the browser module that the gateway serves, too.
//!
//! The page is part of the binary and needs no build. It gives nobody any right: all that it does, it does with the
//! caller's token.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_OPENER_POLICY, CROSS_ORIGIN_RESOURCE_POLICY,
    HeaderName, PERMISSIONS_POLICY,
};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::document::Document;
use crate::http::error::ApiError;
use crate::http::state::CurrentState;

/// The content security policy of the page: scripts and styles in files of this origin alone, sound from the reader's own
/// recordings, and requests to the gateway and nowhere else. Nobody may put the page into a frame, where a click on it
/// could be led.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      media-src 'self' blob: data:; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The only device that the page may ask for. Other features stay as the browser has them.
const PERMISSIONS: &str = "microphone=(self), camera=(), geolocation=()";

/// The page.
const PAGE: &str = include_str!("index.html");

/// The browser module.
const MODULE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/client/voxgate.js"));

/// Embeds files of the folder that the module loads its parts from.
macro_rules! parts {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/client/voxgate/", $name)))),+]
    };
}

/// The parts of the module that a page loads when it opens a live session, by their names.
static PARTS: &[(&str, &str)] = parts![
    "backlog.js",
    "live.js",
    "processor.js",
    "reader.js",
    "requests.js",
    "sender.js",
    "session.js",
    "shared.js",
    "sources.js",
    "transcript.js",
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

/// Embeds files of this folder.
macro_rules! assets {
    ($($content_type:expr => $folder:literal [$($name:literal),+ $(,)?]),+ $(,)?) => {
        &[$($(Asset { name: $name, content_type: $content_type, bytes: include_bytes!(concat!($folder, $name)) }),+),+]
    };
}

/// The files of the page.
static ASSETS: &[Asset] = assets! {
    SCRIPT => "" [
        "code.js", "console.js", "dom.js", "exports.js", "failures.js", "live.js", "options.js", "player.js", "result.js",
        "sending.js", "sources.js", "token.js",
    ],
    "text/css; charset=utf-8" => "" ["colors.css", "console.css"],
    "image/svg+xml" => "" ["icon.svg"],
    "audio/mpeg" => "samples/" ["french.mp3", "sentence.mp3", "talk.mp3"],
};

/// The page, the module and the files, each with its tag.
static PAGE_DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::new("text/html; charset=utf-8", PAGE));
static MODULE_DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::new(SCRIPT, MODULE));
static PART_DOCUMENTS: LazyLock<HashMap<&'static str, Document>> =
    LazyLock::new(|| PARTS.iter().map(|(name, text)| (*name, Document::new(SCRIPT, *text))).collect());
static ASSET_DOCUMENTS: LazyLock<HashMap<&'static str, Document>> =
    LazyLock::new(|| ASSETS.iter().map(|asset| (asset.name, Document::new(asset.content_type, asset.bytes))).collect());

/// Serves the page.
pub(in crate::http) async fn page(request: HttpRequest, current: Data<CurrentState>) -> Result<HttpResponse, ApiError> {
    check_enabled(&current, "/")?;
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (PERMISSIONS_POLICY, PERMISSIONS),
        // A page that opened this one must not send it elsewhere, with a token of its own.
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ];
    Ok(PAGE_DOCUMENT.answer(&request, headers))
}

/// Serves a script, the style, the icon or a sample recording of the page.
pub(in crate::http) async fn asset(
    name: Path<String>,
    request: HttpRequest,
    current: Data<CurrentState>,
) -> Result<HttpResponse, ApiError> {
    let path = || format!("/console/{name}");
    check_enabled(&current, &path())?;
    let asset = ASSET_DOCUMENTS.get(name.as_str()).ok_or_else(|| ApiError::not_found("GET", &path()))?;
    Ok(asset.answer(&request, [(CONTENT_SECURITY_POLICY, POLICY)]))
}

/// Serves the browser module. It is public code without any right, so a page of any origin may load it: whether that page
/// may call the gateway is a question of its own (`cors.origins`).
pub(in crate::http) async fn module(request: HttpRequest) -> HttpResponse {
    MODULE_DOCUMENT.answer(&request, for_any_origin())
}

/// Serves a part of the browser module, on the same terms.
pub(in crate::http) async fn module_part(name: Path<String>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::not_found("GET", &format!("/voxgate/{name}"));
    let part = PART_DOCUMENTS.get(name.as_str()).ok_or_else(unknown)?;
    Ok(part.answer(&request, for_any_origin()))
}

/// Builds the headers that let a page of any origin load a script.
fn for_any_origin() -> [(HeaderName, &'static str); 2] {
    [(ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")]
}

/// Fails as an unknown path does if the settings end the console.
fn check_enabled(current: &CurrentState, path: &str) -> Result<(), ApiError> {
    if current.current().settings.console.enabled { Ok(()) } else { Err(ApiError::not_found("GET", path)) }
}

#[cfg(test)]
mod tests;
