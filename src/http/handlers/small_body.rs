//! Small bodies in JSON, read whole.

use std::time::Duration;

use actix_web::web::{Bytes, Payload};
use tokio::time::timeout;

use crate::http::error::{ApiError, ErrorCode};
use crate::intake::IntakeError;

/// Reads a body of at most `max` bytes. One this small must arrive within the time allowed for a head.
pub(super) async fn read(body: Payload, max: usize, time_limit: Duration) -> Result<Bytes, ApiError> {
    let body = timeout(time_limit, body.to_bytes_limited(max)).await;
    let body = body.map_err(|_| IntakeError::TooSlow)?;
    let body =
        body.map_err(|_| ApiError::new(ErrorCode::InvalidJson, format!("The body is over {} KiB.", max / 1024)))?;
    body.map_err(|_| ApiError::new(ErrorCode::InvalidJson, "The body could not be read."))
}
