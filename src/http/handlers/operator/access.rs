//! The guard of the operator's routes. A handler gets the gateway's state from it, so that none can forget it.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use secrecy::{ExposeSecret, SecretString};

use super::error::OperatorError;
use super::{origin, refusals};
use crate::http::error::ApiError;
use crate::http::state::{AppState, CurrentState};

/// Permission to send the operator a page, which by itself shows nothing of the gateway.
///
/// The listener is on a loopback address, or there is a token for the operator; and the request is for the gateway's own name
/// and from no page of another origin.
pub(in crate::http) struct OperatorPage {
    state: Arc<AppState>,
    /// True if the request comes from this machine, past no proxy.
    is_local: bool,
}

/// Permission to show the operator what the gateway does and what its callers used: what [`OperatorPage`] asks for and, unless the
/// request comes from this machine, the operator's token.
pub(in crate::http) struct OperatorAccess {
    state: Arc<AppState>,
}

impl OperatorAccess {
    /// Returns the gateway's state.
    pub(in crate::http) fn state(&self) -> &AppState {
        &self.state
    }
}

impl OperatorPage {
    fn check(request: &HttpRequest) -> Result<Self, OperatorError> {
        let current = request.app_data::<Data<CurrentState>>().ok_or_else(ApiError::internal)?;
        let state = current.current();
        let console = &state.settings.console;
        let is_on_loopback = state.settings.fixed.server.ops_bind.is_some_and(|address| address.ip().is_loopback());
        if !is_on_loopback && console.operator_token.is_none() {
            return Err(not_found(request));
        }
        let own = origin::authority(request).filter(|own| origin::is_own(own.host(), &console.operator_hosts));
        let own = own.ok_or(OperatorError::Host)?;
        if origin::is_from_elsewhere(request, &own) {
            return Err(OperatorError::Origin);
        }
        // A proxy on this machine connects from loopback, too, for whoever reaches it.
        let is_local = is_on_loopback && origin::is_this_machine(own.host()) && !origin::is_forwarded(request);
        Ok(Self { state, is_local })
    }
}

impl OperatorAccess {
    fn check(request: &HttpRequest) -> Result<Self, OperatorError> {
        let OperatorPage { state, is_local } = OperatorPage::check(request)?;
        let token = state.settings.console.operator_token.as_ref();
        let has_token = || token.zip(bearer(request)).is_some_and(|(token, given)| is_token(token, given));
        if is_local || has_token() {
            return Ok(Self { state });
        }
        // The page asks without a token first, to find out if it needs one.
        if token.is_some() && request.headers().contains_key(AUTHORIZATION) {
            refusals::log(request.peer_addr().map(|peer| peer.ip()));
        }
        Err(not_found(request))
    }
}

impl FromRequest for OperatorPage {
    type Error = OperatorError;
    type Future = Ready<Result<Self, OperatorError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::check(request))
    }
}

impl FromRequest for OperatorAccess {
    type Error = OperatorError;
    type Future = Ready<Result<Self, OperatorError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::check(request))
    }
}

fn not_found(request: &HttpRequest) -> OperatorError {
    ApiError::not_found(request.method().as_str(), request.path()).into()
}

/// Returns the token of a request that gives exactly one.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && values.next().is_none()).then(|| token.trim())
}

/// Compares tokens in a time that depends on nothing but their lengths.
fn is_token(token: &SecretString, given: &str) -> bool {
    let token = token.expose_secret();
    let differences = token.bytes().zip(given.bytes()).fold(0_u8, |all, (one, other)| black_box(all | (one ^ other)));
    token.len() == given.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token: SecretString = "0123456789abcdef".to_owned().into();
        assert!(is_token(&token, "0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF", "1123456789abcdef"] {
            assert!(!is_token(&token, other), "{other}");
        }
    }

    #[test]
    fn a_request_gives_one_bearer_token() {
        let of = |values: &[&'static str]| {
            let request =
                values.iter().fold(TestRequest::get(), |request, value| request.append_header((AUTHORIZATION, *value)));
            bearer(&request.to_http_request()).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["bearer  abc"]).as_deref(), Some("abc"));
        for none in [&[][..], &["Basic abc"], &["Bearer"], &["Bearer abc", "Bearer abc"]] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}
