//! `POST /v1/live/{id}/audio?seq=N`: a piece of audio.

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::{MAX_PIECE_BYTES, find};
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::{answer, preflight, query};
use crate::intake::{PieceBody, take_in_piece};
use crate::live::{PieceOrigin, Position};

/// Handles a piece. A piece that the session has already is answered without its body.
pub(in crate::http) async fn add(
    request: HttpRequest,
    id: Path<String>,
    body: Payload,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    preflight::check_coding(request.headers())?;
    let session = find(&context, request.headers(), &id).await?;
    let seq = seq(request.query_string())?;
    if let Some(position) = session.check_piece(seq)? {
        return Ok(taken(position));
    }
    let (settings, shared) = (&context.state().settings.intake, &context.state().shared.intake);
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let bounds = PieceBody { declared, max: MAX_PIECE_BYTES };
    let uploading = session.begin_upload();
    let piece = take_in_piece(settings, &shared.quota, session.share_key(), bounds, body).await;
    let piece = piece.map_err(|error| ApiError::from(error).param("audio"))?;
    drop(uploading);
    Ok(taken(session.add_audio(seq, piece, PieceOrigin::Request).await?))
}

/// Returns the number of the piece.
fn seq(query: &str) -> Result<u64, ApiError> {
    let text = query::single(query, "seq")?.ok_or_else(|| ApiError::missing_parameter("seq"))?;
    text.trim().parse().map_err(|_| query::invalid("seq", &text, "takes a whole number, 0 for the first piece"))
}

fn taken(Position { next_seq, audio }: Position) -> HttpResponse {
    answer::json(HttpResponse::Accepted(), &json!({ "next_seq": next_seq, "audio_ms": audio }))
}
