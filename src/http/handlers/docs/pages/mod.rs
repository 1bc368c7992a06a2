//! `/docs/…` and `/llms.txt`: the documentation of this version, as pages with a search and as Markdown.
//!
//! - `list`: the pages; `files`: their pictures, and the files that they link to
//! - `markdown`: a page as HTML, as Markdown and as sections; `anchors`, `address`: its headings and links
//! - `layout`: the frame around a page, with `escape` for its texts; `search`: the index of the search; `llms`: the list
//!   for programs
//! - `site`: all of it, by address

mod address;
mod anchors;
mod escape;
mod files;
mod layout;
mod list;
mod llms;
mod markdown;
mod search;
mod site;
#[cfg(test)]
mod tests;

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::{HttpRequest, HttpResponse};

use self::site::SITE;

/// The content security policy of the pages: scripts, styles and pictures in files of this origin alone. No page can be put
/// into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the answer for an address below `/docs/`, if there is a document at it.
pub(super) fn serve(name: &str, request: &HttpRequest) -> Option<HttpResponse> {
    Some(SITE.document(name)?.answer(request, [(CONTENT_SECURITY_POLICY, POLICY)]))
}

/// Returns the list of all pages for programs.
pub(super) fn serve_list(request: &HttpRequest) -> HttpResponse {
    SITE.llms.answer(request, [(CONTENT_SECURITY_POLICY, POLICY)])
}
