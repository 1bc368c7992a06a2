//! The transcription of a recording in pieces: whole, or as a stream of events.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::TranscriptError;
use super::pieces::Pieces;
use super::request::SplitRequest;
use super::transcript::{Transcript, TranscriptBody, TranscriptEvents};
use crate::domain::sse::framed;

/// The number of pieces that a whole answer was joined from.
pub const PIECES_HEADER: &str = "x-voxgate-pieces";
/// The milliseconds of sound that were sent to providers.
pub const SPEECH_HEADER: &str = "x-voxgate-speech-ms";

/// Transcribes a recording in pieces. As a stream, the transcript is there as soon as its first event is.
pub async fn transcribe(request: SplitRequest, streams: bool) -> Result<Transcript, TranscriptError> {
    if streams { begin_stream(Pieces::new(request)).await } else { finish_whole(Pieces::new(request)).await }
}

async fn finish_whole(mut pieces: Pieces) -> Result<Transcript, TranscriptError> {
    while pieces.advance().await.is_some() {}
    let mut headers = HeaderMap::new();
    let facts = [(PIECES_HEADER, pieces.count()), (SPEECH_HEADER, pieces.speech().get())];
    headers.extend(facts.map(|(name, number)| (HeaderName::from_static(name), HeaderValue::from(number))));
    let joined = pieces.finish()?;
    let content_type = Some(HeaderValue::from_static(joined.content_type()));
    let body = TranscriptBody::Whole { content_type, body: joined.answer().clone() };
    Ok(Transcript { request_id: None, headers, body })
}

/// Waits for the first event, so that a recording of which nothing was heard is answered with an error.
async fn begin_stream(pieces: Pieces) -> Result<Transcript, TranscriptError> {
    // Joining adds times and members to the answers, which are bounded themselves.
    let max_event_bytes = Some(pieces.max_answer_bytes().saturating_mul(4));
    let mut events = Events { pieces: Some(pieces), ready: VecDeque::new() };
    let first = events.next().await.unwrap_or_else(|| Ok(Bytes::new()))?;
    let rest = stream::unfold(events, |mut events| async move { Some((events.next().await?, events)) });
    let bytes: TranscriptEvents = stream::iter([Ok(first)]).chain(rest).boxed_local();
    let body = TranscriptBody::Events { bytes, key: None, max_event_bytes };
    Ok(Transcript { request_id: None, headers: HeaderMap::new(), body })
}

/// The events of a recording in pieces.
struct Events {
    /// The pieces; `None` once they have ended.
    pieces: Option<Pieces>,
    ready: VecDeque<Bytes>,
}

impl Events {
    async fn next(&mut self) -> Option<Result<Bytes, TranscriptError>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(bytes));
            }
            let pieces = self.pieces.as_mut()?;
            let before = pieces.progress();
            if let Some(events) = pieces.advance().await {
                self.ready.extend(events.iter().map(|data| framed(data)));
                let now = pieces.progress();
                if now.done != before.done || now.audio != before.audio {
                    self.ready.push_back(now.comment().into());
                }
                continue;
            }
            match self.pieces.take()?.finish() {
                Ok(joined) => self.ready.extend(joined.closing_events().iter().map(|data| framed(data))),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
