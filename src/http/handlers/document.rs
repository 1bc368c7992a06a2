//! Documents in the binary: pages, scripts, pictures. Browsers ask for them each time, and read only what changed.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETag, EntityTag, Header, HeaderName, IfNoneMatch, REFERRER_POLICY,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

/// A document. Requests share its bytes: a client that reads nothing makes the gateway hold no copy.
pub(super) struct Document {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
    /// It changes with the content. All gateways of one build have the same.
    tag: EntityTag,
}

impl Document {
    /// Takes the content of a document.
    pub(super) fn new(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hasher = DefaultHasher::new();
        (content_type, &bytes).hash(&mut hasher);
        let tag = EntityTag::new_strong(format!("{:016x}", hasher.finish()));
        Self { content_type, bytes, tag }
    }

    /// Answers with the document and further `headers`, or says that the client's copy is still the document.
    ///
    /// A gateway that was updated serves other documents at the same addresses, so browsers ask each time.
    pub(super) fn answer<const N: usize>(
        &self,
        request: &HttpRequest,
        headers: [(HeaderName, &'static str); N],
    ) -> HttpResponse {
        let is_known = self.is_known(request);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(ETag(self.tag.clone()))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((REFERRER_POLICY, "no-referrer"));
        for header in headers {
            response.insert_header(header);
        }
        if is_known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, self.content_type)).body(self.bytes.clone())
    }

    /// True if the client has the document. A proxy that compresses it makes the tag a weak one.
    fn is_known(&self, request: &HttpRequest) -> bool {
        match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        }
    }
}
