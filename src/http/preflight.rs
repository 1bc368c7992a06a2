//! Checks on the head of a request, before the gateway asks for a byte of its body: an invalid token, a caller with no
//! rate left, a body that is too large, or a full spool is refused here.

use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};

use super::error::ApiError;
use super::headers::client_timeout::ClientLimit;
use super::state::AppState;
use crate::domain::terms::Task;
use crate::identity::{Caller, Scope};
use crate::intake::{BodyForm, IntakeError};
use crate::telemetry::traces::{Step, Trace};

/// Checks the head of a request. Calls `note` as soon as the caller is known, so that the record of a refusal has it.
pub(super) async fn check(
    state: &AppState,
    task: Task,
    headers: &HeaderMap,
    trace: &Trace,
    note: impl FnOnce(&Caller),
) -> Result<Preflight, ApiError> {
    let caller = identify(state, headers, trace).await?;
    note(&caller);
    caller.require(match task {
        Task::Transcribe => Scope::Transcribe,
        Task::Translate => Scope::Translate,
    })?;
    state.admission.before_body(&caller)?;
    check_coding(headers)?;
    let form = BodyForm::of(only(headers, &CONTENT_TYPE)?)?;
    let declared = only(headers, &CONTENT_LENGTH)?.and_then(|length| length.parse::<u64>().ok());
    let settings = &state.settings.intake;
    if declared.is_some_and(|length| length > form.max_body_bytes(settings)) {
        return Err(IntakeError::TooLarge { allowed: settings.max_audio_bytes }.into());
    }
    let limit = ClientLimit::of(headers)?;
    let key = caller.share_key();
    state.shared.places.look(key)?;
    // Only the recording itself counts against the spool quota, not the form around it.
    let audio = form.audio_bytes(declared.unwrap_or_default()).min(settings.max_audio_bytes);
    state.shared.intake.room.has_room_for(key, audio).map_err(IntakeError::NoRoom)?;
    Ok(Preflight { caller, form, declared, limit })
}

/// A request that may send its body.
pub(super) struct Preflight {
    pub(super) caller: Caller,
    pub(super) form: BodyForm,
    /// The body's declared size in bytes (`Content-Length`), if there is one.
    pub(super) declared: Option<u64>,
    /// The time limits that the client states.
    pub(super) limit: ClientLimit,
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
