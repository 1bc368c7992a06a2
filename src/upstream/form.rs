//! The multipart form of OpenAI's transcription API, with the differences of each provider.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream as streams};
use uuid::Uuid;

use crate::config::{Model, ProviderApi};
use crate::domain::terms::Task;
use crate::intake::Job;
use crate::models::UploadFlag;

/// A flag: the recording could not be read during the upload, which is not the provider's fault.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadFailed(Arc<AtomicBool>);

impl ReadFailed {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A form, ready to be sent.
pub struct Form {
    /// The content type, with the boundary.
    pub content_type: String,
    /// The length, so that the request has a `Content-Length`: some servers do not accept chunked requests.
    pub length: u64,
    /// The bytes, with the recording as it arrives.
    pub body: BoxStream<'static, io::Result<Bytes>>,
}

/// Shows only the size: the form has a recording.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Builds the form. Small fields come first: some servers refuse a form whose `model` comes after the file. The content
/// determines the file's name and type, since clients send recordings as `blob` or `upload`, and providers go by the
/// name.
///
/// The gateway writes the form without reqwest, which makes a chunk of every delimiter and so sends a small form in two
/// pieces. Intake has checked that names need no quoting, and the boundary cannot be guessed.
pub(super) fn build(
    job: &Job,
    model: &Model,
    wire: &ProviderApi,
    stream: bool,
    uploaded: UploadFlag,
    read_failed: &ReadFailed,
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
    let read_failed = read_failed.clone();
    let recording = job.audio.chunks().inspect(move |chunk| {
        if chunk.is_err() {
            read_failed.0.store(true, Ordering::Relaxed);
        }
    });
    let end = streams::once(async move {
        // The client requests this part after it has taken the last of the recording.
        uploaded.set();
        Ok(Bytes::from(tail))
    });
    let body = streams::once(ready(Ok(Bytes::from(head)))).chain(recording).chain(end).boxed();
    Form { content_type: format!("multipart/form-data; boundary={boundary}"), length, body }
}

/// Lists every field except the file.
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
