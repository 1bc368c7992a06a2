//! What did they send? Three body forms become one [`Job`]: checked options, spooled audio, measured media.
//!
//! This room reads bodies and knows nothing of routes, callers, models or providers. It may use what actix-multipart asks
//! for, and no more of actix.

mod upload;
pub mod base64;
mod body;
mod error;
mod fields;
mod forms;
pub mod json;
mod measuring;
pub mod media;
mod multipart;
mod options;
mod recording;
mod references;
mod spool;
#[cfg(test)]
mod tests;
mod values;

pub use upload::{First, Upload};
pub use body::BodyForm;
pub use error::IntakeError;
pub use measuring::{MeasuringLoad, MeasuringPool};
pub use options::{Chunking, OptionError, Options};
pub use spool::{Spool, SpoolError, SpoolQuota, SpoolSource, SpoolWriter};

use std::sync::Arc;

use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::Stream;

use crate::config;
use crate::domain::terms::Task;
use crate::fair_share::ShareKey;
use media::{Length, MediaInfo};
use recording::{Early, IntakeContext};

/// One piece of work: what is to be done with which audio.
#[derive(Debug, Clone)]
pub struct Job {
    /// Transcribe or translate.
    pub task: Task,
    /// How.
    pub options: Options,
    /// The recording.
    pub audio: Spool,
    /// What the recording is and how long.
    pub media: MediaInfo,
    /// How long the samples of known speakers are, all together: a provider hears them, too.
    pub references: Length,
}

impl Job {
    /// All that a provider would have to hear: what is charged and held against limits.
    pub fn billed_length(&self) -> Length {
        self.media.length.plus(self.references)
    }
}

/// A request whose body is still to be read.
#[derive(Debug)]
pub struct Incoming<'a, S> {
    /// What its route asks for.
    pub task: Task,
    /// The form that its `Content-Type` announced.
    pub form: BodyForm,
    /// The size of its body, where that was told.
    pub declared: Option<u64>,
    /// Its headers, for the boundary of a multipart body.
    pub headers: &'a HeaderMap,
    /// Its query, which holds the options of a raw body.
    pub query: &'a str,
    /// Whose share it counts against.
    pub key: ShareKey,
    /// Its body.
    pub body: S,
}

/// The resources that all requests share while they are taken in.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Where recordings are kept.
    pub room: Arc<SpoolQuota>,
    /// Where they are measured.
    pub measuring: Arc<MeasuringPool>,
}

impl Shared {
    /// The resources of these settings, none of them in use.
    pub fn new(settings: &config::Intake) -> std::io::Result<Self> {
        Ok(Self { room: SpoolQuota::new(settings), measuring: Arc::new(MeasuringPool::new()?) })
    }
}

/// Begins to read a request. Its recording is spooled as it comes; nothing outlives an error.
pub fn take_in<'a, S>(settings: &'a config::Intake, shared: &'a Shared, incoming: Incoming<'a, S>) -> Upload<'a>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let early = Early::default();
    let Incoming { task, declared, key, .. } = incoming;
    let table = IntakeContext { task, settings, room: &shared.room, key, declared, early: early.clone() };
    Upload::new(whole(table, &shared.measuring, incoming), early)
}

async fn whole<S>(
    table: IntakeContext<'_>,
    measuring: &MeasuringPool,
    incoming: Incoming<'_, S>,
) -> Result<Job, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let Incoming { task, form, headers, query, body, .. } = incoming;
    let settings = table.settings;
    let body = body::BodyTimeouts::new(settings, table.declared).hold(body, form.max_body_bytes(settings));
    let parts = match form {
        BodyForm::Multipart => multipart::multipart(&table, headers, body).await?,
        BodyForm::Json => forms::json(&table, body).await?,
        BodyForm::Raw => forms::raw(&table, query, body).await?,
    };
    let options = Options::parse(parts.fields)?;
    let media = measuring.measure(table.key, &parts.audio).await?;
    let references = references::measure(&table, measuring, &options.speaker_references).await?;
    Ok(Job { task, options, audio: parts.audio, media, references })
}
