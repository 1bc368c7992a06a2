//! `GET /` on the operational listener: the operator's page, which reads the JSON of this module's other routes.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;

use super::access::OperatorPage;
use super::answer;

/// The page's content security policy: its own script and style, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(in crate::http) async fn show(_: OperatorPage) -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("page/index.html"))
}

pub(in crate::http) async fn style(_: OperatorPage) -> HttpResponse {
    file("text/css; charset=utf-8", concat!(include_str!("../console/colors.css"), include_str!("page/page.css")))
}

pub(in crate::http) async fn script(_: OperatorPage) -> HttpResponse {
    file("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
    answer::begin(StatusCode::OK, POLICY).insert_header((CONTENT_TYPE, content_type)).body(text)
}
