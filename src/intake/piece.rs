//! A piece of a live session's audio: a small body that is nothing but bytes.

use std::sync::Arc;

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::body::BodyTimeouts;
use super::error::IntakeError;
use super::spool::{Spool, SpoolQuota, SpoolWriter};
use crate::config;
use crate::fair_share::ShareKey;

/// The bounds of a piece's body.
#[derive(Debug, Clone, Copy)]
pub struct PieceBody {
    /// The size that the client announced, in bytes.
    pub declared: Option<u64>,
    /// The largest size, in bytes.
    pub max: u64,
}

/// Reads a piece. After an error nothing of it remains.
pub async fn take_in_piece<S>(
    settings: &config::Intake,
    quota: &Arc<SpoolQuota>,
    key: ShareKey,
    bounds: PieceBody,
    body: S,
) -> Result<Spool, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let PieceBody { declared, max } = bounds;
    let too_large = || IntakeError::TooLarge { allowed: max, announced: declared };
    if declared.is_some_and(|declared| declared > max) {
        return Err(too_large());
    }
    let mut writer = SpoolWriter::new(quota, key, declared).map_err(IntakeError::NoRoom)?;
    let mut body = BodyTimeouts::new(settings, declared).hold(body, max);
    while let Some(chunk) = body.next().await {
        writer.append(&chunk.map_err(|error| IntakeError::from_payload(&error, max))?).await?;
    }
    Ok(writer.finish().release())
}
