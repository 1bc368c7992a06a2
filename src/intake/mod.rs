//! What did they send? Three body forms become one [`Job`]: checked options, spooled audio, measured media.
//!
//! This room reads bodies and knows nothing of routes, callers, models or providers. It may use what actix-multipart asks
//! for, and no more of actix.

pub mod base64;
mod body;
mod error;
mod fields;
mod forms;
pub mod json;
pub mod media;
mod options;
mod spool;
#[cfg(test)]
mod tests;
mod values;

pub use body::BodyForm;
pub use error::IntakeError;
pub use options::{Chunking, OptionError, Options};
pub use spool::{Spool, SpoolSource, SpoolWriter};

use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::Stream;

use crate::config;
use crate::terms::Task;
use media::MediaInfo;

/// One piece of work: what is to be done with which audio.
#[derive(Debug)]
pub struct Job {
    /// Transcribe or translate.
    pub task: Task,
    /// How.
    pub options: Options,
    /// The recording.
    pub audio: Spool,
    /// What the recording is and how long.
    pub media: MediaInfo,
}

/// A request whose body is still to be read.
#[derive(Debug)]
pub struct Incoming<'a, S> {
    /// What its route asks for.
    pub task: Task,
    /// The form that its `Content-Type` announced.
    pub form: BodyForm,
    /// Its headers, for the boundary of a multipart body.
    pub headers: &'a HeaderMap,
    /// Its query, which holds the options of a raw body.
    pub query: &'a str,
    /// Its body.
    pub body: S,
}

/// Reads the whole of a request. What arrives is spooled as it comes; nothing outlives an error.
pub async fn take_in<S>(settings: &config::Intake, incoming: Incoming<'_, S>) -> Result<Job, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let Incoming { task, form, headers, query, body } = incoming;
    let pace = body::Pace { idle: settings.idle_timeout, whole: settings.body_timeout };
    let body = pace.hold(body, form.max_body_bytes(settings));
    let parts = match form {
        BodyForm::Multipart => forms::multipart(settings, headers, body).await?,
        BodyForm::Json => forms::json(settings, body).await?,
        BodyForm::Raw => forms::raw(settings, query, body).await?,
    };
    let options = Options::parse(parts.fields)?;
    let media = inspect(&parts.audio).await?;
    Ok(Job { task, options, audio: parts.audio, media })
}

async fn inspect(audio: &Spool) -> Result<MediaInfo, IntakeError> {
    let (source, bytes) = (audio.source(), audio.length());
    let inspected = tokio::task::spawn_blocking(move || media::inspect(source, bytes));
    Ok(inspected.await.map_err(std::io::Error::other)??)
}
