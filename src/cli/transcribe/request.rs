//! One recording on its way: sent, sent again where that costs nothing, and its answer read.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use tokio::time::{sleep, timeout};

use super::amounts;
use super::answer::{EventReader, MAX_ERROR_BYTES, is_stream, read_body, read_whole};
use super::client::{GatewayClient, is_of_sandbox};
use super::error::TranscribeError;
use super::input::Input;
use super::partial::error_with_part;
use super::recording::Recording;
use super::recording_progress::{RecordingProgress, UploadProgress};
use super::refusal::Refusal;
use super::retry::{MAX_RETRIES, Retry};
use super::slots::{Slot, Slots};
use super::transcript::Transcript;
use super::words::Words;
use crate::domain::terms::Format;

/// The wait for a request of another program to end.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(5);

/// What is asked of the gateway for every recording.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) format: Format,
    pub(super) model: Option<String>,
    pub(super) language: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) timeout: Option<Duration>,
}

/// A request that failed.
struct Failed {
    error: TranscribeError,
    retry: Retry,
}

impl From<TranscribeError> for Failed {
    fn from(error: TranscribeError) -> Self {
        Self { error, retry: Retry::Never }
    }
}

/// A recording, and what its request needs.
pub(super) struct Request<'a> {
    pub(super) client: &'a GatewayClient,
    pub(super) options: &'a Options,
    pub(super) slots: &'a Slots,
    pub(super) input: &'a Input,
}

impl Request<'_> {
    /// Transcribes the recording within the time that the options allow. `words` are printed as they come.
    pub(super) async fn transcribe(
        &self,
        progress: &mut RecordingProgress,
        words: &mut Words,
    ) -> Result<Transcript, TranscribeError> {
        let transcribed = self.with_retries(self.slots.take().await, progress, words);
        match self.options.timeout {
            Some(max) => timeout(max, transcribed).await.unwrap_or(Err(TranscribeError::TimedOut(max))),
            None => transcribed.await,
        }
    }

    async fn with_retries<'a>(
        &'a self,
        mut slot: Slot<'a>,
        progress: &mut RecordingProgress,
        words: &mut Words,
    ) -> Result<Transcript, TranscribeError> {
        let mut retries = 0;
        loop {
            let Failed { error, retry } = match self.attempt(progress, words).await {
                Ok(transcript) => return Ok(transcript),
                Err(failed) => failed,
            };
            // Standard input is gone once it was sent.
            if retry == Retry::Never || retries == MAX_RETRIES || *self.input == Input::Standard {
                return Err(error);
            }
            let wait = match retry {
                Retry::WhenOneHasEnded => {
                    progress.again(&format!("waits for another to end: {error}"));
                    match self.slots.exchange(slot).await {
                        Ok(other) => {
                            slot = other;
                            continue;
                        }
                        Err(last) => slot = last,
                    }
                    WAIT_FOR_OTHERS
                }
                Retry::After(wait) => wait,
                Retry::Never => return Err(error),
            };
            retries += 1;
            progress.again(&format!("is sent again in {}: {error}", amounts::length(wait)));
            sleep(wait).await;
        }
    }

    async fn attempt(&self, progress: &mut RecordingProgress, words: &mut Words) -> Result<Transcript, Failed> {
        let recording = Recording::open(self.input).map_err(TranscribeError::Unreadable)?;
        let upload = progress.sending(recording.length);
        let response = self.client.send(self.form(recording, upload), self.options.timeout).await?;
        let (status, headers, format) = (response.status(), response.headers().clone(), self.options.format);
        if !status.is_success() {
            let body = read_body(response, MAX_ERROR_BYTES).await?;
            let refusal = Refusal::read(&body, Some(status), &headers);
            let retry = Retry::after(&refusal, status, &headers);
            return Err(Failed { error: error_with_part(refusal, &body, format), retry });
        }
        if is_of_sandbox(&headers) {
            return Err(TranscribeError::Sandbox.into());
        }
        if is_stream(&headers) {
            let reader = EventReader { format, progress, words, audio: None };
            return Ok(reader.read(response).await?);
        }
        Ok(read_whole(response, format).await?)
    }

    /// Builds the form. The recording comes last, so that the gateway knows what is asked before it arrives.
    fn form(&self, recording: Recording, progress: UploadProgress) -> Form {
        let Options { format, model, language, prompt, .. } = self.options;
        let mut form = Form::new().text("response_format", format.as_str());
        for (name, value) in [("model", model), ("language", language), ("prompt", prompt)] {
            if let Some(value) = value {
                form = form.text(name, value.clone());
            }
        }
        // Of JSON, a stream does not bring every member.
        if !format.is_json() && self.client.may_stream() {
            form = form.text("stream", "true");
        }
        let length = recording.length;
        let body = counted(recording, progress);
        let part = match length {
            Some(length) => Part::stream_with_length(body, length),
            None => Part::stream(body),
        };
        form.part("file", part.file_name(self.input.file_name()))
    }
}

/// Returns the bytes of a recording, and tells the progress while they are sent.
fn counted(recording: Recording, progress: UploadProgress) -> Body {
    let (each, end) = (progress.clone(), progress);
    let bytes = recording.into_stream().inspect(move |chunk| each.sent(chunk.as_ref().map_or(0, bytes::Bytes::len)));
    let at_end = stream::once(async move { end.is_complete() }).filter_map(|()| async { None });
    Body::wrap_stream(bytes.chain(at_end))
}
