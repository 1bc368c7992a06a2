//! Checks on the head of a request, before the gateway asks for a byte of its body: an invalid token, a caller with no
//! rate left, a body that is too large, or a full spool is refused here.

use std::sync::Arc;
use std::time::SystemTime;

use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};

use super::error::ApiError;
use super::headers::client_timeout::ClientTimeouts;
use super::state::AppState;
use crate::domain::terms::Task;
use crate::identity::{Caller, Scope};
use crate::intake::{BodyForm, IntakeError};
use crate::telemetry::traces::{Step, Trace};

/// A request that may send its body.
pub(super) struct Preflight {
    /// The task whose scope was checked.
    pub(super) task: Task,
    pub(super) caller: Caller,
    pub(super) body: BodyHead,
}

/// The statements of a head about the body and the time that the client allows.
pub(super) struct BodyHead {
    pub(super) form: BodyForm,
    /// The body's declared size in bytes (`Content-Length`), if there is one.
    pub(super) declared: Option<u64>,
    /// The time limits that the client states.
    pub(super) limit: ClientTimeouts,
}

/// The refusal of a request by its head.
pub(super) struct RefusedHead {
    pub(super) error: ApiError,
    /// The caller, if its token is valid.
    pub(super) caller: Option<Caller>,
}

/// A preflight that a request passed before its `100 Continue`, on its way to the request's context.
pub(super) struct PassedPreflight {
    /// The state that the preflight used, and that the rest of the request uses.
    pub(super) state: Arc<AppState>,
    pub(super) preflight: Preflight,
    /// The trace, which began at `since`.
    pub(super) trace: Trace,
    pub(super) since: SystemTime,
}

/// Checks the head of a request.
pub(super) async fn check(
    state: &AppState,
    task: Task,
    headers: &HeaderMap,
    trace: &Trace,
) -> Result<Preflight, RefusedHead> {
    let identified = identify(state, headers, trace).await;
    let caller = identified.map_err(|error| RefusedHead { error, caller: None })?;
    match check_known(state, task, headers, &caller) {
        Ok(body) => Ok(Preflight { task, caller, body }),
        Err(error) => Err(RefusedHead { error, caller: Some(caller) }),
    }
}

/// Checks the head of a request whose caller is known.
fn check_known(state: &AppState, task: Task, headers: &HeaderMap, caller: &Caller) -> Result<BodyHead, ApiError> {
    caller.require(match task {
        Task::Transcribe => Scope::Transcribe,
        Task::Translate => Scope::Translate,
    })?;
    state.admission.check_before_body(caller)?;
    check_coding(headers)?;
    let form = BodyForm::from_content_type(only(headers, &CONTENT_TYPE)?)?;
    let declared = only(headers, &CONTENT_LENGTH)?.and_then(|length| length.parse::<u64>().ok());
    let settings = &state.settings.intake;
    if declared.is_some_and(|length| length > form.max_body_bytes(settings)) {
        return Err(IntakeError::TooLarge { allowed: settings.max_audio_bytes, announced: declared }.into());
    }
    let limit = ClientTimeouts::parse(headers)?;
    let key = caller.share_key();
    state.shared.concurrency.check(key)?;
    // Only the recording itself counts against the spool quota, not the form around it.
    let audio = form.audio_bytes(declared.unwrap_or_default()).min(settings.max_audio_bytes);
    state.shared.intake.quota.check(key, audio).map_err(IntakeError::NoRoom)?;
    Ok(BodyHead { form, declared, limit })
}

/// Verifies the token and returns the caller.
pub(super) async fn identify(state: &AppState, headers: &HeaderMap, trace: &Trace) -> Result<Caller, ApiError> {
    let identified = state.verifier.identify(only(headers, &AUTHORIZATION)?);
    Ok(trace.during(Step::Identify, identified).await?)
}

/// Refuses a body with a content coding other than `identity`. Every handler that reads a body calls this.
pub(super) fn check_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    let values = headers.get_all(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("unreadable"));
    let mut codings = values.flat_map(|value| value.split(',')).map(str::trim);
    let coded = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    coded.map_or(Ok(()), |coding| Err(ApiError::content_encoding(coding)))
}

/// Returns the value of a header that may occur once. Refuses two of them, since another reader of the same head might
/// take the other one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(ApiError::repeated_header(name.as_str()));
    }
    Ok(first.and_then(|value| value.to_str().ok()))
}
