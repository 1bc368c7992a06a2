//! Intake: reads a request body in one of three forms and makes it a [`Job`] with checked options, spooled audio and
//! measured media.
//!
//! This module knows nothing of routes, callers, models or providers. From actix it may use only what actix-multipart
//! needs.

pub mod base64;
mod body;
mod early;
mod error;
mod fields;
mod forms;
mod job;
pub mod json;
mod measuring;
pub mod media;
mod multipart;
mod option_error;
mod options;
mod piece;
mod recording;
mod references;
mod spool;
#[cfg(test)]
mod tests;
mod upload;
mod values;

pub use body::{BodyForm, max_upload_time};
pub use early::EarlyJob;
pub use error::IntakeError;
pub use job::Job;
pub use measuring::MeasuringPool;
pub use option_error::OptionError;
pub use options::{Chunking, Options};
pub use piece::{PieceBody, take_in_piece};
pub use spool::{
    BlockingWriter, HeldSpool, LogRead, Spool, SpoolDirectoryError, SpoolError, SpoolLog, SpoolQuota, SpoolRoom,
    SpoolSource, SpoolUsage, SpoolWriter, probe_directory,
};
pub use upload::{HeldJob, Upload, UploadRest, UploadStart};

use std::sync::Arc;

use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::Stream;

use crate::config;
use crate::domain::terms::Task;
use crate::fair_share::ShareKey;
use early::EarlySlot;
use recording::IntakeContext;

/// A request whose body has not been read.
#[derive(Debug)]
pub struct Incoming<'a, S> {
    /// The task of its route.
    pub task: Task,
    /// The form that its `Content-Type` announced.
    pub form: BodyForm,
    /// The size of its body, if the client announced it.
    pub declared: Option<u64>,
    /// Its headers, for the boundary of a multipart body.
    pub headers: &'a HeaderMap,
    /// Its query, which holds the options of a raw body.
    pub query: &'a str,
    /// The caller and session whose share it counts against.
    pub key: ShareKey,
    /// Its body.
    pub body: S,
}

/// The resources that all requests share during intake.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The quota for the recordings in the spool.
    pub quota: Arc<SpoolQuota>,
    /// The threads that measure recordings.
    pub measuring: Arc<MeasuringPool>,
}

impl Shared {
    /// Creates unused resources from the settings.
    pub fn new(spool: &config::Spool, max_audio_bytes: u64) -> std::io::Result<Self> {
        Ok(Self { quota: SpoolQuota::new(spool, max_audio_bytes), measuring: Arc::new(MeasuringPool::new()?) })
    }
}

/// Begins to read a request. The recording is spooled as it arrives; after an error nothing of it remains.
pub fn take_in<'a, S>(settings: &'a config::Intake, shared: &'a Shared, incoming: Incoming<'a, S>) -> Upload<'a>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let early = EarlySlot::default();
    let Incoming { task, declared, key, .. } = incoming;
    let context = IntakeContext { task, settings, quota: &shared.quota, key, declared, early: early.clone() };
    Upload::new(read_whole(context, &shared.measuring, incoming), early)
}

async fn read_whole<S>(
    context: IntakeContext<'_>,
    measuring: &MeasuringPool,
    incoming: Incoming<'_, S>,
) -> Result<HeldJob, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let Incoming { task, form, headers, query, body, .. } = incoming;
    let settings = context.settings;
    let body = body::BodyTimeouts::new(settings, context.declared).hold(body, form.max_body_bytes(settings));
    let parts = match form {
        BodyForm::Multipart => multipart::multipart(&context, headers, body).await?,
        BodyForm::Json => forms::json(&context, body).await?,
        BodyForm::Raw => forms::raw(&context, query, body).await?,
    };
    let options = Options::parse(parts.fields)?;
    let media = measuring.measure(context.key, parts.audio.to_measure()).await?;
    let references = references::measure(&context, measuring, &options.speaker_references).await?;
    Ok(HeldJob::new(task, options, parts.audio, media, references))
}
