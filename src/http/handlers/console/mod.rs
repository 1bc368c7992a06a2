//! `GET /`, the console: a page that records, sends and reads, built on the browser module that the gateway serves, too.
//!
//! The page is part of the binary and needs no build. It gives nobody any right: all that it does, it does with the
//! caller's token.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, CROSS_ORIGIN_OPENER_POLICY,
    CROSS_ORIGIN_RESOURCE_POLICY, PERMISSIONS_POLICY, REFERRER_POLICY,
};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder};

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
        "code.js", "console.js", "dom.js", "exports.js", "failures.js", "options.js", "player.js", "result.js", "sending.js",
        "sources.js", "token.js",
    ],
    "text/css; charset=utf-8" => "" ["colors.css", "console.css"],
    "image/svg+xml" => "" ["icon.svg"],
    "audio/mpeg" => "samples/" ["french.mp3", "sentence.mp3", "talk.mp3"],
};

/// Serves the page.
pub(in crate::http) async fn page(current: Data<CurrentState>) -> Result<HttpResponse, ApiError> {
    check_enabled(&current, "/")?;
    let mut response = document("text/html; charset=utf-8");
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((PERMISSIONS_POLICY, PERMISSIONS))
        // A page that opened this one must not send it elsewhere, with a token of its own.
        .insert_header((CROSS_ORIGIN_OPENER_POLICY, "same-origin"));
    Ok(response.body(PAGE))
}

/// Serves a script, the style, the icon or a sample recording of the page.
pub(in crate::http) async fn asset(name: Path<String>, current: Data<CurrentState>) -> Result<HttpResponse, ApiError> {
    let path = || format!("/console/{name}");
    check_enabled(&current, &path())?;
    let asset = ASSETS.iter().find(|asset| asset.name == *name).ok_or_else(|| ApiError::not_found("GET", &path()))?;
    Ok(document(asset.content_type).insert_header((CONTENT_SECURITY_POLICY, POLICY)).body(asset.bytes))
}

/// Serves the browser module. It is public code without any right, so a page of any origin may load it: whether that page
/// may call the gateway is a question of its own (`cors.origins`).
pub(in crate::http) async fn module() -> HttpResponse {
    document(SCRIPT)
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"))
        .body(MODULE)
}

/// Fails as an unknown path does if the settings end the console.
fn check_enabled(current: &CurrentState, path: &str) -> Result<(), ApiError> {
    if current.current().settings.console.enabled { Ok(()) } else { Err(ApiError::not_found("GET", path)) }
}

/// A gateway that was updated serves other files by the same names, so browsers ask each time.
fn document(content_type: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    response
}

#[cfg(test)]
mod tests;
