//! The multipart form that OpenAI's transcription API takes, with what a provider has different in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::{StreamExt, stream as streams};
use reqwest::Body;
use reqwest::multipart::{Form, Part};

use super::UpstreamError;
use super::course::Sent;
use crate::config::{Model, Wire};
use crate::intake::Job;
use crate::terms::Task;

/// Whether the recording could not be read while it was sent, which is no fault of the provider's.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost(Arc<AtomicBool>);

impl Lost {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Small fields first: some servers refuse a form whose `model` comes after the file. Every part has a known length, so
/// that the request has a `Content-Length`. The file's name and type are made from its content, since clients send
/// recordings as `blob` or `upload`, and providers go by the name.
pub(super) fn build(
    job: &Job,
    model: &Model,
    wire: &Wire,
    stream: bool,
    sent: Sent,
    lost: &Lost,
) -> Result<Form, UpstreamError> {
    // Names were checked to need no escaping, and `include[]` must not be escaped.
    let mut form = Form::new().percent_encode_noop();
    for (name, value) in fields(job, model, wire, stream) {
        form = form.text(name, value);
    }
    let container = job.media.container;
    let lost = lost.clone();
    let recording = job.audio.chunks().inspect(move |chunk| {
        if chunk.is_err() {
            lost.0.store(true, Ordering::Relaxed);
        }
    });
    // Asked for more after its last chunk, the recording is out.
    let end = streams::poll_fn(move |_| {
        sent.set();
        Poll::Ready(None)
    });
    let file = Part::stream_with_length(Body::wrap_stream(recording.chain(end)), job.audio.length())
        .file_name(container.file_name())
        .mime_str(container.content_type())
        .map_err(|_| UpstreamError::BadSettings)?;
    Ok(form.part("file", file))
}

/// Every field but the file.
fn fields(job: &Job, model: &Model, wire: &Wire, stream: bool) -> Vec<(String, String)> {
    let own = [("model", model.upstream_model.as_str())].into_iter().chain(stream.then_some(("stream", "true")));
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut fields: Vec<_> = own.chain(job.options.form_fields()).collect();
    let translation = (job.task == Task::Translate).then_some(&wire.translation_fields);
    let set = || wire.fields.iter().chain(translation.into_iter().flatten());
    fields.retain(|(name, _)| {
        let base = name.split('[').next().unwrap_or(name);
        let omitted = wire.omit.iter().any(|omitted| omitted == name || omitted == base);
        !omitted && set().all(|(other, _)| other != name && other != base)
    });
    if !wire.list_brackets {
        for (name, _) in &mut fields {
            if let Some(plain) = name.strip_suffix("[]") {
                *name = plain.to_owned();
            }
        }
    }
    fields.extend(set().map(|(name, value)| (name.clone(), value.clone())));
    fields
}
