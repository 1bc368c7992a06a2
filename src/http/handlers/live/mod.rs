//! `/v1/live`: sessions whose audio is still being spoken.
//!
//! - `sessions`: opens, shows, ends and deletes a session; `wanted`: what a client asks for; `opening`: what a session needs
//! - `audio`: takes a piece of audio; `events`: hands out the events
//! - `stream`: a session in one request, whose body is the audio and whose answer is the events; `feed`: the reading of
//!   that body

pub(in crate::http) mod audio;
pub(in crate::http) mod events;
mod feed;
mod opening;
pub(in crate::http) mod sessions;
pub(in crate::http) mod stream;
mod wanted;

use std::sync::Arc;

use actix_web::http::header::HeaderMap;

use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::preflight;
use crate::identity::{Caller, Scope};
use crate::live::LiveSession;

/// The largest piece of audio, in bytes.
const MAX_PIECE_BYTES: u64 = 1024 * 1024;

/// Returns the caller, if it may use live sessions.
async fn identify(context: &RequestContext, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = context.identify(headers).await?;
    caller.require(Scope::Transcribe)?;
    let state = context.state();
    state.admission.check_known_revocations(&caller)?;
    if state.settings.live.enabled { Ok(caller) } else { Err(ApiError::live_disabled()) }
}

/// Returns the caller, if it may open a session now: all that the head of its request tells is checked.
async fn may_open(context: &RequestContext, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = identify(context, headers).await?;
    context.state().admission.check_requests(&caller)?;
    preflight::check_coding(headers)?;
    Ok(caller)
}

/// Returns the caller's session of this id. The request is one of many of the session.
async fn find(context: &RequestContext, headers: &HeaderMap, id: &str) -> Result<Arc<LiveSession>, ApiError> {
    context.record().of_live_session();
    let caller = identify(context, headers).await?;
    let session = context.state().shared.live.find(id).filter(|session| session.is_of(&caller.subject));
    session.ok_or_else(|| ApiError::no_live_session(id))
}
