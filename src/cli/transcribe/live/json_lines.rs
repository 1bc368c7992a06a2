//! Events as JSON, one on each line, as if all had come from one session.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::event::{EventKind, LiveEvent};
use super::running_text::RunningText;

/// The longest text that is repeated in the last event, in bytes. A day of speech has less than a megabyte.
const MAX_TEXT: usize = 64 << 20;
const SEGMENT_PREFIX: &str = "seg_";

/// The lines. Times, segments and the last event are those of all sessions.
#[derive(Default)]
pub(super) struct JsonLines {
    text: RunningText,
    whole: String,
    sessions: u32,
    /// The number of segments of the sessions before, and of all so far.
    before: u64,
    segments: u64,
    /// The last event of the last session, with its length and begin.
    done: Option<Map<String, Value>>,
    length: Duration,
}

impl JsonLines {
    pub(super) fn begin_session(&mut self) {
        self.text.begin_session();
        self.sessions = self.sessions.saturating_add(1);
        self.before = self.segments;
        self.done = None;
    }

    /// Adds an event of a session that begins at `begin` of the whole sound, and returns its line.
    pub(super) fn add(&mut self, event: &LiveEvent, begin: Duration) -> String {
        let mut members = event.members.clone();
        match &event.kind {
            EventKind::Delta(delta) => {
                let delta = self.text.add(delta);
                if self.whole.len().saturating_add(delta.len()) <= MAX_TEXT {
                    self.whole.push_str(&delta);
                }
                members.insert("delta".to_owned(), json!(delta));
                self.renumber(&mut members, "segment_id");
            }
            EventKind::Segment { span, .. } => {
                self.renumber(&mut members, "id");
                set_times(&mut members, begin, span.start, span.end);
            }
            EventKind::TurnFailed { span, .. } => {
                if let Some(error) = members.get_mut("error").and_then(Value::as_object_mut) {
                    set_times(error, begin, span.start, span.end);
                }
            }
            EventKind::Done { length } => {
                self.length = begin.saturating_add(length.unwrap_or_default());
                self.done = Some(members);
                return String::new();
            }
            // Another session may go on.
            EventKind::Failed(_) => return String::new(),
            EventKind::Other => {}
        }
        line(members)
    }

    /// Returns the line of the last event, which has the whole text; none if the transcript has not come to its end.
    pub(super) fn finish(&mut self, is_whole: bool) -> String {
        let Some(mut done) = self.done.take().filter(|_| is_whole) else { return String::new() };
        if self.sessions > 1 {
            done.insert("text".to_owned(), json!(self.whole));
            done.insert("duration".to_owned(), seconds(self.length));
            // That is the usage of the last session alone.
            done.shift_remove("usage");
        }
        line(done)
    }

    /// Gives a segment the number that it has among those of all sessions.
    fn renumber(&mut self, members: &mut Map<String, Value>, name: &str) {
        let Some(Value::String(id)) = members.get_mut(name) else { return };
        let Some(number) = id.strip_prefix(SEGMENT_PREFIX).and_then(|number| number.parse::<u64>().ok()) else {
            return;
        };
        let number = self.before.saturating_add(number);
        self.segments = self.segments.max(number.saturating_add(1));
        *id = format!("{SEGMENT_PREFIX}{number}");
    }
}

/// Moves the times of a session to those of the whole sound. The gateway's own stay as they are.
fn set_times(members: &mut Map<String, Value>, begin: Duration, start: Duration, end: Duration) {
    if begin.is_zero() {
        return;
    }
    for (name, time) in [("start", start), ("end", end)] {
        members.insert(name.to_owned(), seconds(begin.saturating_add(time)));
    }
}

/// Returns a time in seconds, to the millisecond.
fn seconds(time: Duration) -> Value {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!(Duration::from_millis(ms).as_secs_f64())
}

fn line(members: Map<String, Value>) -> String {
    format!("{}\n", Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &Value) -> LiveEvent {
        LiveEvent::read(data.to_string().as_bytes()).unwrap()
    }

    fn turn(lines: &mut JsonLines, text: &str, begin: u64) -> Vec<Value> {
        let delta = json!({ "type": "transcript.text.delta", "delta": text, "segment_id": "seg_0" });
        let segment =
            json!({ "type": "transcript.text.segment", "id": "seg_0", "start": 0.5, "end": 2.25, "text": text });
        let written: String =
            [delta, segment].iter().map(|data| lines.add(&event(data), Duration::from_secs(begin))).collect();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn one_session_is_written_as_it_came() {
        let mut lines = JsonLines::default();
        lines.begin_session();
        let [delta, segment] = turn(&mut lines, "Good.", 0).try_into().unwrap();
        assert_eq!(delta, json!({ "type": "transcript.text.delta", "delta": "Good.", "segment_id": "seg_0" }));
        assert_eq!((&segment["start"], &segment["end"]), (&json!(0.5), &json!(2.25)));
        let done = json!({ "type": "transcript.text.done", "text": "Good.", "usage": { "type": "duration", "seconds": 3 },
                           "duration": 3.0 });
        assert_eq!(lines.add(&event(&done), Duration::ZERO), "");
        assert_eq!(serde_json::from_str::<Value>(&lines.finish(true)).unwrap(), done);
    }

    #[test]
    fn several_sessions_are_written_as_one() {
        let mut lines = JsonLines::default();
        lines.begin_session();
        turn(&mut lines, "Good.", 0);
        lines.begin_session();
        let [delta, segment] = turn(&mut lines, "Morning.", 10).try_into().unwrap();
        assert_eq!((&delta["delta"], &delta["segment_id"]), (&json!(" Morning."), &json!("seg_1")));
        let expected = json!({ "type": "transcript.text.segment", "id": "seg_1", "start": 10.5, "end": 12.25,
                               "text": "Morning." });
        assert_eq!(segment, expected);
        let done = json!({ "type": "transcript.text.done", "text": "Morning.", "usage": {}, "duration": 3.0 });
        lines.add(&event(&done), Duration::from_secs(10));
        let done: Value = serde_json::from_str(&lines.finish(true)).unwrap();
        assert_eq!(done, json!({ "type": "transcript.text.done", "text": "Good. Morning.", "duration": 13.0 }));
    }

    #[test]
    fn what_has_not_come_to_its_end_has_no_last_event() {
        let mut lines = JsonLines::default();
        lines.begin_session();
        turn(&mut lines, "Good.", 0);
        assert_eq!(lines.finish(true), "");
    }
}
