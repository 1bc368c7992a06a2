//! `POST /v1/live/stream`: a session in one request.

use std::rc::Rc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::feed::Feed;
use super::opening::Opening;
use super::wanted::WantedSession;
use super::{events, may_open};
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::live::EventReader;
use crate::upstream::Upstream;

/// Handles a session whose audio is the body and whose events are the answer, which begins at once.
pub(in crate::http) async fn open(
    request: HttpRequest,
    body: Payload,
    context: RequestContext,
    upstream: Data<Rc<Upstream>>,
) -> Result<HttpResponse, ApiError> {
    let caller = may_open(&context, request.headers()).await?;
    let state = context.state();
    let wanted = WantedSession::from_query(request.query_string(), state.settings.intake.max_text_bytes)?;
    let opening = Opening { context: &context, caller: &caller, upstream: Rc::clone(&upstream) };
    let session = opening.open(wanted).await?;
    let reader = EventReader::open(&session, 0, state.settings.relay.keep_alive).await?;
    let answer = events::streamed(reader, &session);
    Feed::new(session, body, &state.shared.intake.quota).start();
    Ok(answer)
}
