//! The headers of every answer: the request id, the provider and the number of attempts, the caller's remaining rates,
//! and what browsers must know.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::rate_limit;
use crate::exchange::Record;
use crate::http::middleware::https::RequestScheme;
use crate::http::state::AppState;
use crate::identity::Caller;
use crate::upstream::SANDBOX;

pub(in crate::http) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-voxgate-provider");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-voxgate-attempts");

/// The facts that the headers of every answer state.
pub(in crate::http) struct CommonHeaders<'a> {
    pub(in crate::http) state: &'a AppState,
    pub(in crate::http) scheme: RequestScheme,
    pub(in crate::http) record: &'a Record,
    /// The caller whose remaining rates the answer states.
    pub(in crate::http) caller: Option<&'a Caller>,
}

impl CommonHeaders<'_> {
    /// Writes the headers.
    pub(in crate::http) fn write(&self, headers: &mut HeaderMap) {
        let Self { state, scheme, record, caller } = self;
        scheme.write_hsts(&state.settings.fixed.server, headers);
        // Browsers must not guess another type: a transcript may look like a page.
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(id) = HeaderValue::from_str(&record.request_id()) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(caller) = caller {
            rate_limit::write(&state.admission.allowance(caller), headers);
        }
        // A sandbox says so in every answer, even without a provider request.
        let served = record.served();
        let provider = served.as_ref().map(|(provider, _)| provider.clone());
        let provider = provider.or_else(|| state.settings.uses_sandbox().then(|| SANDBOX.to_owned()));
        if let Some(Ok(provider)) = provider.as_deref().map(HeaderValue::from_str) {
            headers.insert(PROVIDER, provider);
        }
        if let Some((_, attempts)) = served {
            headers.insert(ATTEMPTS, HeaderValue::from(attempts));
        }
    }
}
