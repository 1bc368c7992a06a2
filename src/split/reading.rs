//! The whole answer of a provider for one piece.

use bytes::Bytes;
use futures_util::StreamExt;
use secrecy::SecretString;
use serde::Deserialize;

use crate::domain::sse::Scanner;
use crate::ledger::Report;
use crate::upstream::{Answer, AnswerBudget, EventBytes, UpstreamError, json_without_key};

/// The answer for one piece.
pub struct PieceAnswer {
    /// The body.
    pub body: Bytes,
    /// The provider's report on what it used.
    pub report: Report,
}

/// The limits of an answer that is read to its end.
#[derive(Clone)]
pub struct AnswerLimits {
    /// The size of this answer and others together.
    pub answers: AnswerBudget,
    /// The largest event of a stream, in bytes.
    pub max_event_bytes: usize,
}

impl PieceAnswer {
    /// Reads the report of an answer. A transcript in a text format could contain anything, so only JSON is searched.
    pub(super) fn of_body(body: Bytes, is_json: bool) -> Self {
        let report = if is_json { Report::of_json(&body) } else { Report::default() };
        Self { body, report }
    }

    /// Takes the last event of a stream, which has the members of a JSON answer.
    fn of_done(data: &Bytes, is_json: bool) -> Self {
        let report = Report::of_json(data);
        let text = || serde_json::from_slice::<Done>(data).map(|done| done.text.into()).unwrap_or_default();
        Self { body: if is_json { data.clone() } else { text() }, report }
    }
}

#[derive(Deserialize)]
struct Done {
    text: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads an answer to its end. `is_json`: the format that was asked for is JSON.
pub async fn read_answer(answer: Answer, is_json: bool, limits: &AnswerLimits) -> Result<PieceAnswer, UpstreamError> {
    match answer {
        Answer::Whole { body, .. } => Ok(PieceAnswer::of_body(body, is_json)),
        Answer::Events { bytes, key } => read_events(bytes, key, is_json, limits).await,
    }
}

/// Reads the stream of a provider that streams without being asked to. `key` is the provider's, which it may quote. Only
/// the last event is kept, and counts in the budget.
async fn read_events(
    mut bytes: EventBytes,
    key: Option<SecretString>,
    is_json: bool,
    limits: &AnswerLimits,
) -> Result<PieceAnswer, UpstreamError> {
    let (mut scanner, mut events) = (Scanner::new(limits.max_event_bytes), Vec::new());
    while let Some(chunk) = bytes.next().await {
        let pushed = scanner.push(chunk?, &mut events);
        for data in events.drain(..).filter_map(|event| event.data()) {
            let kind = serde_json::from_slice::<Kind>(&data).map(|it| it.kind).unwrap_or_default();
            if kind == "transcript.text.done" {
                limits.answers.take(data.len())?;
                return Ok(PieceAnswer::of_done(&clean(&data, key.as_ref()), is_json));
            }
        }
        pushed.map_err(|error| UpstreamError::TooLarge { allowed: error.limit })?;
    }
    Err(UpstreamError::Broken)
}

/// Removes the provider's key from an event.
pub(super) fn clean(data: &Bytes, key: Option<&SecretString>) -> Bytes {
    key.map_or_else(|| data.clone(), |key| json_without_key(data, key))
}
