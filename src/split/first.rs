//! The first piece of a recording, whose words go to the client as they are recognised.

use std::collections::VecDeque;

use futures_util::StreamExt;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::piece_state::SentPiece;
use super::reading::clean;
use crate::domain::sse::{Event, Scanner};
use crate::ledger::Report;
use crate::models::AttemptLog;
use crate::upstream::{AnswerBudget, AnswerBytes, EventBytes, UpstreamError};

/// The stream of the first piece.
pub(super) struct FirstPiece {
    sent: SentPiece,
    bytes: EventBytes,
    /// The share of its words in the size of all answers. A stream that breaks off gives it back: the piece is sent again.
    counted: AnswerBytes,
    scanner: Scanner,
    steps: VecDeque<FirstPieceStep>,
    /// The provider's key, which it may quote.
    key: Option<SecretString>,
}

/// The next step of the first piece.
pub(super) enum FirstPieceStep {
    /// More text.
    Delta { text: String, logprobs: Option<Box<RawValue>> },
    /// The end, with the data of the event and its report.
    Done { data: Vec<u8>, report: Report },
    /// The end of a stream that is not complete.
    Broken(UpstreamError),
}

/// The members of an event that matter here.
#[derive(Deserialize)]
struct TranscriptEvent {
    #[serde(rename = "type")]
    kind: String,
    delta: Option<String>,
    logprobs: Option<Box<RawValue>>,
}

impl FirstPiece {
    pub(super) fn new(
        sent: SentPiece,
        bytes: EventBytes,
        key: Option<SecretString>,
        max_event_bytes: usize,
        answers: &AnswerBudget,
    ) -> Self {
        Self {
            sent,
            bytes,
            counted: answers.begin(),
            scanner: Scanner::new(max_event_bytes),
            steps: VecDeque::new(),
            key,
        }
    }

    /// Returns the log of the piece's attempts.
    pub(super) fn log(&self) -> &AttemptLog {
        &self.sent.log
    }

    /// Counts bytes that the client gets.
    pub(super) fn count(&mut self, bytes: usize) -> Result<(), UpstreamError> {
        self.counted.take(bytes)
    }

    /// Returns the piece, whose words are kept.
    pub(super) fn into_transcribed(self) -> SentPiece {
        self.counted.keep();
        self.sent
    }

    /// Returns the piece, whose words may come again.
    pub(super) fn into_sent(self) -> SentPiece {
        self.sent
    }

    /// Returns the next step. After [`FirstPieceStep::Done`] and [`FirstPieceStep::Broken`] nothing follows.
    ///
    /// Dropping the future loses nothing: what was read is kept.
    pub(super) async fn next(&mut self) -> FirstPieceStep {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return step;
            }
            let mut events = Vec::new();
            match self.bytes.next().await {
                Some(Ok(chunk)) => {
                    let pushed = self.scanner.push(chunk, &mut events);
                    self.steps.extend(events.iter().filter_map(|event| read_event(event, self.key.as_ref())));
                    if let Err(error) = pushed {
                        self.steps.push_back(FirstPieceStep::Broken(UpstreamError::TooLarge { allowed: error.limit }));
                    }
                }
                Some(Err(error)) => return FirstPieceStep::Broken(error),
                None => return FirstPieceStep::Broken(UpstreamError::Broken),
            }
        }
    }
}

/// Reads an event; `None` if it says nothing here.
fn read_event(event: &Event, key: Option<&SecretString>) -> Option<FirstPieceStep> {
    let data = clean(&event.data().filter(|_| !event.is_done_marker())?, key);
    let Ok(read) = serde_json::from_slice::<TranscriptEvent>(&data) else {
        // An error has no `type`.
        return Some(FirstPieceStep::Broken(UpstreamError::Broken));
    };
    match read.kind.as_str() {
        "transcript.text.delta" => {
            Some(FirstPieceStep::Delta { text: read.delta.unwrap_or_default(), logprobs: read.logprobs })
        }
        "transcript.text.done" => Some(FirstPieceStep::Done { data: data.to_vec(), report: Report::of_json(&data) }),
        "error" => Some(FirstPieceStep::Broken(UpstreamError::Broken)),
        _ => None,
    }
}
