//! The multipart form that OpenAI's transcription API takes.

use std::task::Poll;

use futures_util::{StreamExt, stream as streams};
use reqwest::Body;
use reqwest::multipart::{Form, Part};

use super::{Sent, UpstreamError};
use crate::config::Model;
use crate::intake::Job;

/// Small fields first: some servers refuse a form whose `model` comes after the file. Every part has a known length, so
/// that the request has a `Content-Length`. The file's name and type are made from its content, since clients send
/// recordings as `blob` or `upload`, and providers go by the name.
pub(super) fn build(job: &Job, model: &Model, stream: bool, sent: Sent) -> Result<Form, UpstreamError> {
    // Names were checked at intake to need no escaping, and `include[]` must not be escaped.
    let mut form = Form::new().percent_encode_noop().text("model", model.upstream_model.clone());
    if stream {
        form = form.text("stream", "true");
    }
    for (name, value) in job.options.form_fields() {
        form = form.text(name, value);
    }
    let container = job.media.container;
    // Asked for more after its last chunk, the recording is out.
    let end = streams::poll_fn(move |_| {
        sent.set();
        Poll::Ready(None)
    });
    let file = Part::stream_with_length(Body::wrap_stream(job.audio.chunks().chain(end)), job.audio.length())
        .file_name(container.file_name())
        .mime_str(container.content_type())
        .map_err(|_| UpstreamError::BadHeader)?;
    Ok(form.part("file", file))
}
