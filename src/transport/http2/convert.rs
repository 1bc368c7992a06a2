//! Conversion of heads: `h2` and actix each have their own types of one and the same `http` crate, in two versions.

use std::net::SocketAddr;
use std::time::SystemTime;

use actix_http::{BoxedPayloadStream, Payload, Request, Response};
use actix_web::body::BodySize;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri, Version};

use super::body::RequestBody;
use crate::transport::http1::host_of;

/// Converts an `h2` request into an actix request.
pub(super) fn to_actix_request(
    parts: &http::request::Parts,
    body: RequestBody,
    peer: Option<SocketAddr>,
) -> Option<Request> {
    if !names_one_host(parts) {
        return None;
    }
    let body: BoxedPayloadStream = Box::pin(body);
    let mut request = Request::with_payload(Payload::from(body));
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    head.uri = Uri::try_from(parts.uri.to_string()).ok()?;
    head.version = Version::HTTP_2;
    head.peer_addr = peer;
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}

/// Returns true if a `Host` header agrees with the `:authority`. A proxy may use one and a server the other (RFC 9113
/// §8.3.1).
fn names_one_host(parts: &http::request::Parts) -> bool {
    let mut hosts = parts.headers.get_all(http::header::HOST).iter();
    match (hosts.next(), hosts.next(), parts.uri.authority()) {
        (None, ..) => true,
        (Some(host), None, Some(authority)) => {
            host_of(host.as_bytes()).is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority.as_str()))
        }
        (Some(host), None, None) => host_of(host.as_bytes()).is_some(),
        (Some(_), Some(_), _) => false,
    }
}

/// Converts the head of an answer, without the fields that only HTTP/1 has (RFC 9113 §8.2.2).
pub(super) fn to_h2_head(response: &Response<()>, size: BodySize) -> Option<http::Response<()>> {
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::from_u16(response.status().as_u16()).ok()?;
    for (name, value) in response.headers() {
        if !matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::CONTENT_LENGTH) {
            let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            head.headers_mut().append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
    }
    // An answer without a body has no `Content-Length` (RFC 9110 §8.6).
    let has_body = !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let (BodySize::Sized(length), true) = (size, has_body) {
        head.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    head.headers_mut().entry(http::header::DATE).or_insert(http::HeaderValue::try_from(date).ok()?);
    Some(head)
}
