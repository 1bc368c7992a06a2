//! The provider's headers that the gateway passes on or logs.

use std::time::SystemTime;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::backoff;
use super::redact::without_key;

/// The only provider headers that the gateway passes on to clients.
pub const ALLOWED: [&str; 5] =
    ["openai-processing-ms", "openai-version", "retry-after", "retry-after-ms", "x-should-retry"];

/// The longest header value that may be passed on.
const MAX_HEADER_BYTES: usize = 256;

/// Selects the headers that may be passed on, without those that quote the key. If a header is repeated, the first one
/// counts. `now` is the time at which the response came.
pub(super) fn allowed(headers: &HeaderMap, key: Option<&SecretString>, now: SystemTime) -> HeaderMap {
    let allowed = |name: &str| {
        let (name, value) = (HeaderName::try_from(name).ok()?, headers.get(name)?);
        let text = value.to_str().ok()?;
        let may_pass = text.len() <= MAX_HEADER_BYTES && without_key(text, key) == text;
        may_pass.then_some(())?;
        let value = backoff::bounded(&name, value, now)?;
        Some((name, detached(&value)?))
    };
    ALLOWED.iter().filter_map(|name| allowed(name)).collect()
}

/// Copies a value out of the buffer of its response head, which would otherwise stay in memory as long as a stream is
/// open.
fn detached(value: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

/// Returns the provider's `x-request-id`, by which its operators find the request; `None` if it is not a short plain
/// word.
pub(super) fn request_id(headers: &HeaderMap, key: Option<&SecretString>) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    (without_key(id, key) == id && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .then(|| id.to_owned())
}
