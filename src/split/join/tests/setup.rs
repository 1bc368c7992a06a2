//! Pieces and joiners for tests.

use serde_json::Value;

use crate::domain::AudioMs;
use crate::domain::terms::{Format, Task};
use crate::speech::{Samples, Span};
use crate::split::join::{JoinRequest, Joined, Joiner, PiecePlace, Times};

/// A piece from `start` to `end`, in milliseconds, with voice in all of it unless `voice` says otherwise.
#[derive(Clone)]
pub(super) struct TestPiece {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) voice: Vec<(u64, u64)>,
    pub(super) body: Vec<u8>,
}

impl std::fmt::Debug for TestPiece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{}–{} {:?} {body:?}", self.start, self.end, self.voice)
    }
}

pub(super) fn span(start: u64, end: u64) -> Span {
    Span { start: Samples::from_ms(start), end: Samples::from_ms(end) }
}

pub(super) fn piece(start: u64, end: u64, body: impl Into<Vec<u8>>) -> TestPiece {
    TestPiece { start, end, voice: vec![(start, end)], body: body.into() }
}

pub(super) fn request(format: Format, times: Times) -> JoinRequest {
    JoinRequest { format, times, task: Task::Transcribe, language: None, known_speakers: Vec::new() }
}

/// A joined transcript, and the deltas that a stream would have had.
pub(super) struct Outcome {
    pub(super) joined: Joined,
    pub(super) deltas: String,
    pub(super) segment_events: Vec<Value>,
    pub(super) done: Value,
}

impl Outcome {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.joined.answer().to_vec()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(self.joined.answer()).unwrap()
    }
}

/// Joins the pieces; those whose answers are refused are left out.
pub(super) fn join(request: JoinRequest, pieces: &[TestPiece], length: u64) -> Outcome {
    let mut joiner = Joiner::new(request);
    let mut events = Vec::new();
    for (number, piece) in (0..).zip(pieces) {
        let voice: Vec<_> = piece.voice.iter().map(|(start, end)| span(*start, *end)).collect();
        let last = usize::try_from(number).unwrap() + 1 == pieces.len();
        let place = PiecePlace { number, last, span: span(piece.start, piece.end), voice: &voice };
        if let Ok(added) = joiner.add(&place, &piece.body) {
            events.extend(added.into_events());
        }
    }
    let transcript = joiner.finish(AudioMs::new(length));
    events.extend(transcript.closing_events());
    outcome(transcript, &events)
}

/// Sorts the events of a stream.
pub(super) fn outcome(joined: Joined, events: &[String]) -> Outcome {
    let mut outcome = Outcome { joined, deltas: String::new(), segment_events: Vec::new(), done: Value::Null };
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        match event["type"].as_str().unwrap() {
            "transcript.text.delta" => outcome.deltas.push_str(event["delta"].as_str().unwrap()),
            "transcript.text.segment" => outcome.segment_events.push(event),
            "transcript.text.done" => outcome.done = event,
            other => panic!("{other}"),
        }
    }
    outcome
}
