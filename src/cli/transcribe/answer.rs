//! Reading the gateway's answer, whole or as a stream.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::error::TranscribeError;
use super::form_check::{has_form, is_media_type, media_type};
use super::heard::Heard;
use super::partial::error_with_part;
use super::piece_count::PieceCount;
use super::recording_progress::RecordingProgress;
use super::refusal::Refusal;
use super::transcript::{Transcript, audio_of};
use super::words::Words;
use crate::domain::AudioMs;
use crate::domain::sse::{Event, Scanner};
use crate::domain::terms::Format;

/// The largest answer, and the largest event of a stream, in bytes. A transcript of a day has some megabytes.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// The largest stream: its deltas and then the whole again.
const MAX_STREAM_BYTES: usize = 4 * MAX_ANSWER_BYTES;
/// The largest error. It may bring what was heard.
pub(super) const MAX_ERROR_BYTES: usize = 16 << 20;
/// The longest silence in a stream. A gateway sends a comment each quarter of a minute, unless its settings say otherwise.
const MAX_SILENCE: Duration = Duration::from_mins(10);

/// Returns true if the answer is a stream of events.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    media_type(headers) == "text/event-stream"
}

/// Reads a body of up to `max` bytes.
pub(super) async fn read_body(mut response: Response, max: usize) -> Result<Bytes, TranscribeError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| TranscribeError::Broken)? {
        if body.len() + chunk.len() > max {
            return Err(TranscribeError::TooLarge(max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Reads a whole answer. Anything may answer with 200, such as a network that wants a login: that is no transcript.
pub(super) async fn read_whole(response: Response, format: Format) -> Result<Transcript, TranscribeError> {
    if !is_media_type(response.headers(), format) {
        return Err(TranscribeError::NoTranscript);
    }
    let body = read_body(response, MAX_ANSWER_BYTES).await?;
    if !has_form(&body, format) {
        return Err(TranscribeError::NoTranscript);
    }
    let audio = if format.is_json() { audio_of(&body) } else { None };
    Ok(Transcript { heard: Heard::from_body(&body), audio })
}

/// A stream of events that is being read.
pub(super) struct EventReader<'a> {
    pub(super) format: Format,
    pub(super) progress: &'a RecordingProgress,
    /// Gets the words as they come.
    pub(super) words: &'a mut Words,
    /// The length of the recording, once a comment has said it.
    pub(super) audio: Option<AudioMs>,
}

/// The members of an event that matter here.
#[derive(Deserialize)]
struct EventData {
    #[serde(rename = "type", default)]
    kind: String,
    delta: Option<String>,
    text: Option<String>,
    error: Option<Box<RawValue>>,
}

impl EventReader<'_> {
    /// Reads the stream up to the event with the whole transcript.
    pub(super) async fn read(mut self, mut response: Response) -> Result<Transcript, TranscribeError> {
        let headers = response.headers().clone();
        let (mut scanner, mut events, mut read) = (Scanner::new(MAX_ANSWER_BYTES), Vec::new(), 0_usize);
        loop {
            let chunk = timeout(MAX_SILENCE, response.chunk()).await;
            let chunk = chunk.map_err(|_| TranscribeError::Silent(MAX_SILENCE))?;
            // The end without the whole transcript is a failure, like a connection that breaks.
            let chunk = chunk.ok().flatten().ok_or(TranscribeError::Broken)?;
            read = read.saturating_add(chunk.len());
            if read > MAX_STREAM_BYTES {
                return Err(TranscribeError::TooLarge(MAX_STREAM_BYTES));
            }
            let pushed = scanner.push(chunk, &mut events);
            for event in events.drain(..) {
                if let Some(transcript) = self.take(&event, &headers).await? {
                    return Ok(transcript);
                }
            }
            pushed.map_err(|error| TranscribeError::TooLarge(error.limit))?;
        }
    }

    /// Takes one event, and returns the transcript if it is the last one.
    async fn take(&mut self, event: &Event, headers: &HeaderMap) -> Result<Option<Transcript>, TranscribeError> {
        if let Some(pieces) = PieceCount::read(event) {
            self.audio = Some(AudioMs::new(pieces.total_ms));
            self.progress.pieces(pieces);
        }
        let Some(data) = event.data().filter(|_| !event.is_done_marker()) else { return Ok(None) };
        let content = serde_json::from_slice::<EventData>(&data).map_err(|_| TranscribeError::NoTranscript)?;
        if content.error.is_some() {
            return Err(error_with_part(Refusal::read(&data, None, headers), &data, self.format));
        }
        match (content.kind.as_str(), content.delta, content.text) {
            ("transcript.text.delta", Some(delta), _) => {
                if self.words.is_wanted() {
                    self.progress.hide();
                }
                self.words.print(&delta).await;
            }
            ("transcript.text.done", _, Some(text)) => {
                if !has_form(text.as_bytes(), self.format) {
                    return Err(TranscribeError::NoTranscript);
                }
                let audio = self.audio.or_else(|| audio_of(&data));
                return Ok(Some(Transcript { heard: Heard::from_body(text.as_bytes()), audio }));
            }
            _ => {}
        }
        Ok(None)
    }
}
