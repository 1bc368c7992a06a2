//! The events of a live session.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::super::refusal::Refusal;

/// The latest second that a session can have.
const MAX_SECOND: f64 = 1e7;

/// An event of a live session.
#[derive(Debug)]
pub(super) struct LiveEvent {
    /// The members, as the gateway sent them.
    pub(super) members: Map<String, Value>,
    pub(super) kind: EventKind,
}

/// The meaning of an event.
#[derive(Debug)]
pub(super) enum EventKind {
    /// Text that follows all text before it.
    Delta(String),
    /// Words with their times.
    Segment {
        /// The words.
        text: String,
        /// Their times.
        span: Span,
    },
    /// A part of the sound that has no words, and the reason. The session goes on.
    TurnFailed {
        /// The reason.
        refusal: Refusal,
        /// The times of the part.
        span: Span,
    },
    /// The end of the session by an error.
    Failed(Refusal),
    /// The end of the session: the transcript is whole.
    Done {
        /// The length of the session's audio.
        length: Option<Duration>,
    },
    /// An event that this command does not know.
    Other,
}

/// Times in the audio of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Duration,
    pub(super) end: Duration,
}

impl LiveEvent {
    /// Reads the data of an event; `None` if it is none of this API.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let Value::Object(members) = serde_json::from_slice(data).ok()? else { return None };
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = match members.get("type").and_then(Value::as_str)? {
            "transcript.text.delta" => EventKind::Delta(text("delta")?),
            "transcript.text.segment" => EventKind::Segment { text: text("text")?, span: span(&members)? },
            "transcript.text.done" => EventKind::Done { length: time(&members, "duration") },
            "error" => {
                let refusal = Refusal::read(data, None, &HeaderMap::new());
                match members.get("error").and_then(Value::as_object).and_then(span) {
                    Some(span) => EventKind::TurnFailed { refusal, span },
                    None => EventKind::Failed(refusal),
                }
            }
            _ => EventKind::Other,
        };
        Some(Self { members, kind })
    }
}

fn span(members: &Map<String, Value>) -> Option<Span> {
    let (start, end) = (time(members, "start")?, time(members, "end")?);
    Some(Span { start, end: end.max(start) })
}

fn time(members: &Map<String, Value>, name: &str) -> Option<Duration> {
    let seconds = members.get(name)?.as_f64().filter(|seconds| (0.0..=MAX_SECOND).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_times_is_one_of_a_turn() {
        let turn =
            br#"{"type":"error","error":{"message":"No.","type":"server_error","code":"x","start":1.5,"end":2.0}}"#;
        let Some(LiveEvent { kind: EventKind::TurnFailed { refusal, span }, .. }) = LiveEvent::read(turn) else {
            panic!("it is none of a turn")
        };
        assert_eq!(refusal.to_string(), "x: No.");
        assert_eq!((span.start, span.end), (Duration::from_millis(1500), Duration::from_secs(2)));
        let session = br#"{"type":"error","error":{"message":"No.","type":"server_error","code":"x"}}"#;
        assert!(matches!(LiveEvent::read(session).unwrap().kind, EventKind::Failed(_)));
    }

    #[test]
    fn what_is_no_event_is_none() {
        for data in [&b"[]"[..], b"{}", b"<html>", br#"{"type":"transcript.text.delta"}"#] {
            assert!(LiveEvent::read(data).is_none(), "{data:?}");
        }
        let mad = br#"{"type":"transcript.text.segment","text":"x","start":-1,"end":1e300}"#;
        assert!(LiveEvent::read(mad).is_none());
    }
}
