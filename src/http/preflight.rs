//! What can be refused by the head of a request alone, before a byte of its body is asked for: a token that does not hold,
//! a caller whose rates are used up, a body that is too large, a gateway that has no room for it.

use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};

use super::error::ApiError;
use super::headers::client_timeout::ClientLimit;
use super::state::AppState;
use crate::domain::terms::Task;
use crate::identity::{Caller, Scope};
use crate::intake::{BodyForm, IntakeError};
use crate::telemetry::traces::{Step, Trace};

/// What can be let in so far.
/// `note` hears who it is as soon as that is known, for the record of a refusal.
pub(super) async fn check(
    house: &AppState,
    task: Task,
    headers: &HeaderMap,
    trace: &Trace,
    note: impl FnOnce(&Caller),
) -> Result<Preflight, ApiError> {
    let caller = identify(house, headers, trace).await?;
    note(&caller);
    caller.require(match task {
        Task::Transcribe => Scope::Transcribe,
        Task::Translate => Scope::Translate,
    })?;
    house.admission.before_body(&caller)?;
    check_coding(headers)?;
    let form = BodyForm::of(only(headers, &CONTENT_TYPE)?)?;
    let declared = only(headers, &CONTENT_LENGTH)?.and_then(|length| length.parse::<u64>().ok());
    let settings = &house.settings.intake;
    if declared.is_some_and(|length| length > form.max_body_bytes(settings)) {
        return Err(IntakeError::TooLarge { allowed: settings.max_audio_bytes }.into());
    }
    let limit = ClientLimit::of(headers)?;
    let key = caller.share_key();
    house.grounds.places.look(key)?;
    // What is around the recording takes no room.
    let audio = form.audio_bytes(declared.unwrap_or_default()).min(settings.max_audio_bytes);
    house.grounds.intake.room.has_room_for(key, audio).map_err(IntakeError::NoRoom)?;
    Ok(Preflight { caller, form, declared, limit })
}

/// A request that may send its body.
pub(super) struct Preflight {
    pub(super) caller: Caller,
    pub(super) form: BodyForm,
    /// How large it will be, if that is told.
    pub(super) declared: Option<u64>,
    /// How long its client waits, where it says so.
    pub(super) limit: ClientLimit,
}

/// Who is calling.
pub(super) async fn identify(house: &AppState, headers: &HeaderMap, trace: &Trace) -> Result<Caller, ApiError> {
    let identified = house.verifier.identify(only(headers, &AUTHORIZATION)?);
    Ok(trace.during(Step::Identify, identified).await?)
}

/// Refuses a body that has to be decoded first, whatever the coding. Every handler that reads a body calls this.
pub(super) fn check_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    let values = headers.get_all(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("unreadable"));
    let mut codings = values.flat_map(|value| value.split(',')).map(str::trim);
    let coded = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    coded.map_or(Ok(()), |coding| Err(ApiError::content_encoding(coding)))
}

/// The value of a header that has one. Of two, another reader of the same head might take the other.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(ApiError::repeated_header(name.as_str()));
    }
    Ok(first.and_then(|value| value.to_str().ok()))
}
