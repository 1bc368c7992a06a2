//! The multipart form that OpenAI's transcription API takes, with what a provider has different in it.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream as streams};
use reqwest::Body;
use uuid::Uuid;

use crate::config::{Model, ProviderApi};
use crate::domain::terms::Task;
use crate::intake::Job;
use crate::models::UploadFlag;

/// Whether the recording could not be read while it was sent, which is no fault of the provider's.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadFailed(Arc<AtomicBool>);

impl ReadFailed {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A form, ready to be sent.
pub(super) struct Form {
    /// With its boundary.
    pub(super) content_type: String,
    /// Known, so that the request has a `Content-Length`: not every server takes chunks.
    pub(super) length: u64,
    pub(super) body: Body,
}

/// Small fields first: some servers refuse a form whose `model` comes after the file. The file's name and type are made from
/// its content, since clients send recordings as `blob` or `upload`, and providers go by the name.
///
/// It is written here rather than by reqwest, which makes a chunk of every delimiter and so sends a small form in two pieces;
/// names were checked at intake to need no quoting, and nobody can guess the boundary.
pub(super) fn build(
    job: &Job,
    model: &Model,
    wire: &ProviderApi,
    stream: bool,
    sent: UploadFlag,
    lost: &ReadFailed,
) -> Form {
    let boundary = Uuid::new_v4().simple().to_string();
    let mut head = String::new();
    for (name, value) in fields(job, model, wire, stream) {
        let part =
            ["--", &boundary, "\r\nContent-Disposition: form-data; name=\"", &name, "\"\r\n\r\n", &value, "\r\n"];
        head.extend(part);
    }
    let (file_name, file_type) = (job.media.container.file_name(), job.media.container.content_type());
    head.extend(["--", &boundary, "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"", file_name]);
    head.extend(["\"\r\nContent-Type: ", file_type, "\r\n\r\n"]);
    let tail = format!("\r\n--{boundary}--\r\n");

    let around = u64::try_from(head.len() + tail.len()).unwrap_or(u64::MAX);
    let length = around.saturating_add(job.audio.length());
    let lost = lost.clone();
    let recording = job.audio.chunks().inspect(move |chunk| {
        if chunk.is_err() {
            lost.0.store(true, Ordering::Relaxed);
        }
    });
    let end = streams::once(async move {
        // It is asked for when the last of the recording has been handed over.
        sent.set();
        Ok(Bytes::from(tail))
    });
    let body = streams::once(ready(Ok(Bytes::from(head)))).chain(recording).chain(end);
    Form { content_type: format!("multipart/form-data; boundary={boundary}"), length, body: Body::wrap_stream(body) }
}

/// Every field but the file.
fn fields(job: &Job, model: &Model, wire: &ProviderApi, stream: bool) -> Vec<(String, String)> {
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
