//! One recording on its way: sent, sent again where that costs nothing, and its answer read.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::amounts;
use super::answer::{EventReader, MAX_ERROR_BYTES, is_stream, read_body, read_whole};
use super::client::{GatewayClient, is_of_sandbox};
use super::error::TranscribeError;
use super::input::Input;
use super::jitter::jittered;
use super::partial::error_with_part;
use super::recording::Recording;
use super::recording_progress::{RecordingProgress, UploadProgress};
use super::refusal::Refusal;
use super::retry::{MAX_RETRIES, Retry};
use super::slots::{Slot, Slots};
use super::transcript::Transcript;
use super::words::Words;
use crate::domain::terms::Format;

/// The shortest and the longest wait for a request of another program to end.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(5);
const MAX_WAIT_FOR_OTHERS: Duration = Duration::from_mins(1);
/// The time that a gateway has beyond the time that was stated to it, to say what it has until then: that was paid for.
const GRACE: Duration = Duration::from_secs(10);
/// The time for an answer once the whole recording is sent, if the options allow none.
const MAX_ANSWER_TIME: Duration = Duration::from_hours(2);

/// The options that every recording is sent with.
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
            Some(max) => {
                timeout(max.saturating_add(GRACE), transcribed).await.unwrap_or(Err(TranscribeError::TimedOut(max)))
            }
            None => transcribed.await,
        }
    }

    async fn with_retries<'a>(
        &'a self,
        mut slot: Slot<'a>,
        progress: &mut RecordingProgress,
        words: &mut Words,
    ) -> Result<Transcript, TranscribeError> {
        let (mut retries, mut wait_for_others) = (0, WAIT_FOR_OTHERS);
        loop {
            let Failed { error, retry } = match self.attempt(progress, words).await {
                Ok(transcript) => return Ok(transcript),
                Err(failed) => failed,
            };
            match retry {
                Retry::WhenOneHasEnded => {
                    // Said once: nobody knows when a request of another program ends.
                    if wait_for_others == WAIT_FOR_OTHERS {
                        progress.again(&format!("waits for another to end: {error}"));
                    }
                    match self.slots.exchange(slot).await {
                        Ok(other) => slot = other,
                        Err(last) => {
                            slot = last;
                            sleep(jittered(wait_for_others)).await;
                            wait_for_others = wait_for_others.saturating_mul(2).min(MAX_WAIT_FOR_OTHERS);
                        }
                    }
                }
                Retry::After(wait) if retries < MAX_RETRIES => {
                    retries += 1;
                    let wait = jittered(wait);
                    progress.again(&format!("is sent again in {}: {error}", amounts::length(wait)));
                    sleep(wait).await;
                }
                Retry::After(_) | Retry::Never | Retry::NeverAny => return Err(error),
            }
        }
    }

    async fn attempt(&self, progress: &mut RecordingProgress, words: &mut Words) -> Result<Transcript, Failed> {
        let recording = Recording::open(self.input).await.map_err(TranscribeError::Unreadable)?;
        let can_be_read_again = recording.length.is_some();
        let upload = progress.sending(recording.length);
        let (sent, end_of_upload) = oneshot::channel();
        let sending = self.client.send(self.form(recording, upload, sent), self.options.timeout);
        let mut late = pin!(self.late(end_of_upload));
        let response = tokio::select! {
            response = sending => response?,
            error = &mut late => return Err(error.into()),
        };
        let (status, headers, format) = (response.status(), response.headers().clone(), self.options.format);
        if status.is_success() && is_of_sandbox(&headers) {
            return Err(TranscribeError::Sandbox.into());
        }
        if status.is_success() && is_stream(&headers) {
            let reader = EventReader { format, progress, words, audio: None };
            return Ok(reader.read(response).await?);
        }
        let reading = async {
            if status.is_success() {
                return Ok(read_whole(response, format).await?);
            }
            Err(self.refused(response, status, &headers, can_be_read_again).await?)
        };
        tokio::select! {
            read = reading => read,
            error = &mut late => Err(error.into()),
        }
    }

    /// Reads why the gateway refused a request.
    async fn refused(
        &self,
        response: Response,
        status: StatusCode,
        headers: &HeaderMap,
        can_be_read_again: bool,
    ) -> Result<Failed, TranscribeError> {
        let body = read_body(response, MAX_ERROR_BYTES).await?;
        let refusal = Refusal::read(&body, Some(status), headers);
        let retry = Retry::after(&refusal, status, headers);
        Ok(match (error_with_part(refusal, &body, self.options.format), retry) {
            (TranscribeError::Refused(refusal), Retry::NeverAny) => {
                Failed { error: TranscribeError::RefusedForGood(refusal), retry }
            }
            // A part of a pipe is gone once it was sent, and what is left of it is another recording.
            (TranscribeError::Refused(refusal), Retry::After(_) | Retry::WhenOneHasEnded) if !can_be_read_again => {
                TranscribeError::RefusedOnce(refusal).into()
            }
            (error, _) if !can_be_read_again => error.into(),
            (error, retry) => Failed { error, retry },
        })
    }

    /// Waits until an answer is too late for a command without a time of its own.
    async fn late(&self, end_of_upload: oneshot::Receiver<()>) -> TranscribeError {
        if self.options.timeout.is_some() {
            return std::future::pending().await;
        }
        // An upload that is given up is over, too.
        let _ = end_of_upload.await;
        sleep(MAX_ANSWER_TIME).await;
        TranscribeError::Late(MAX_ANSWER_TIME)
    }

    /// Builds the form. The recording comes last, so that the gateway knows what is asked before it arrives.
    fn form(&self, recording: Recording, progress: UploadProgress, sent: oneshot::Sender<()>) -> Form {
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
        let body = counted(recording, progress, sent);
        let part = match length {
            Some(length) => Part::stream_with_length(body, length),
            None => Part::stream(body),
        };
        form.part("file", part.file_name(self.input.file_name()))
    }
}

/// Returns the bytes of a recording, and reports the progress while they are sent, and `sent` at their end.
fn counted(recording: Recording, progress: UploadProgress, sent: oneshot::Sender<()>) -> Body {
    let (each, end) = (progress.clone(), progress);
    let bytes = recording.into_stream().inspect(move |chunk| each.sent(chunk.as_ref().map_or(0, bytes::Bytes::len)));
    let at_end = async move {
        end.is_complete();
        // Nobody waits for it where the gateway has answered already.
        let _ = sent.send(());
    };
    let at_end = stream::once(at_end).filter_map(|()| async { None });
    Body::wrap_stream(bytes.chain(at_end))
}
