//! The whole answer of a provider for one piece.

use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;

use crate::domain::sse::Scanner;
use crate::ledger::Report;
use crate::upstream::{EventBytes, UpstreamError};

/// The answer for one piece.
pub(super) struct PieceAnswer {
    pub(super) body: Bytes,
    pub(super) report: Report,
}

impl PieceAnswer {
    pub(super) fn of_body(body: Bytes) -> Self {
        // Text that is no JSON has no report.
        let report = Report::of_json(&body);
        Self { body, report }
    }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads the stream of a provider that streams without being asked to. Its last event has the members of a JSON answer.
pub(super) async fn read_events(mut bytes: EventBytes, max_event_bytes: usize) -> Result<PieceAnswer, UpstreamError> {
    let (mut scanner, mut events) = (Scanner::new(max_event_bytes), Vec::new());
    while let Some(chunk) = bytes.next().await {
        let pushed = scanner.push(chunk?, &mut events);
        for data in events.drain(..).filter_map(|event| event.data()) {
            let kind = serde_json::from_slice::<Kind>(&data).map(|it| it.kind).unwrap_or_default();
            if kind == "transcript.text.done" {
                return Ok(PieceAnswer::of_body(data));
            }
        }
        pushed.map_err(|error| UpstreamError::TooLarge { allowed: error.limit })?;
    }
    Err(UpstreamError::Broken)
}
