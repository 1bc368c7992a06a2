//! Opening, showing, ending and deleting a live session.

use std::rc::Rc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::opening::Opening;
use super::wanted::WantedSession;
use super::{MAX_PIECE_BYTES, find, may_open};
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::handlers::small_body;
use crate::http::{answer, preflight};
use crate::live::{LiveSession, Status};
use crate::speech::LiveFormat;
use crate::upstream::Upstream;

/// The containers whose audio a session takes piece by piece.
const CONTAINERS: [&str; 4] = ["webm", "ogg", "mp4", "wav"];

/// Handles `POST /v1/live`.
pub(in crate::http) async fn open(
    request: HttpRequest,
    body: Payload,
    context: RequestContext,
    upstream: Data<Rc<Upstream>>,
) -> Result<HttpResponse, ApiError> {
    let caller = may_open(&context, request.headers()).await?;
    let settings = &context.state().settings;
    let body = small_body::read(body, settings.intake.max_text_bytes, settings.fixed.server.header_timeout).await?;
    let wanted = WantedSession::from_json(&body)?;
    let opening = Opening { context: &context, caller: &caller, upstream: Rc::clone(&upstream) };
    let session = opening.open(wanted).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer::json(response, &json_of(&session)))
}

/// Handles `GET /v1/live/{id}`.
pub(in crate::http) async fn show(
    request: HttpRequest,
    id: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let session = find(&context, request.headers(), &id).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer::json(response, &json_of(&session)))
}

/// Handles `POST /v1/live/{id}/end`.
pub(in crate::http) async fn end(
    request: HttpRequest,
    id: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    preflight::check_coding(request.headers())?;
    let session = find(&context, request.headers(), &id).await?;
    session.end().await;
    Ok(answer::json(HttpResponse::Accepted(), &json_of(&session)))
}

/// Handles `DELETE /v1/live/{id}`.
pub(in crate::http) async fn delete(
    request: HttpRequest,
    id: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let session = find(&context, request.headers(), &id).await?;
    session.delete();
    context.state().shared.live.forget(session.id());
    Ok(HttpResponse::NoContent().finish())
}

/// Returns the session's JSON.
fn json_of(session: &LiveSession) -> Value {
    let (facts, Status { phase, position, transcribed }) = (session.facts(), session.status());
    let mut json = json!({
        "id": session.id().as_str(),
        "object": "live.session",
        "status": phase.as_str(),
        "model": facts.model,
        "created_at": facts.created_at.get() / 1000,
        "expires_at": facts.expires_at.get() / 1000,
        "idle_timeout": facts.idle_timeout.as_secs_f64(),
        "max_piece_bytes": MAX_PIECE_BYTES,
        "next_seq": position.next_seq,
        "audio_ms": position.audio,
        "transcribed_ms": transcribed,
    });
    let format = match facts.format {
        LiveFormat::Pcm16 { rate, channels } => {
            json!({ "audio_format": "pcm16", "sample_rate": rate, "channels": channels })
        }
        LiveFormat::Auto => json!({ "audio_format": "auto", "containers": CONTAINERS }),
    };
    if let (Value::Object(members), Value::Object(format)) = (&mut json, format) {
        members.extend(format);
    }
    json
}
