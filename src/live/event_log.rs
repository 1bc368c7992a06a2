//! The events of a live session.

use serde_json::json;
use serde_json::value::RawValue;

use crate::domain::AudioMs;
use crate::fair_share::{Refused, ShareKey};
use crate::intake::{LogRead, SpoolError, SpoolLog, SpoolQuota};
use crate::split::join::TurnSegment;
use std::sync::Arc;

/// The largest size of all events of a session together, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The room that is kept for the events that end a session, beside its text.
const ROOM_FOR_END: u64 = 16 * 1024;
/// The data of the last event of a session that ends well.
const DONE: &str = "[DONE]";

/// The error of events that cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum EventLogError {
    /// There are more of them than a session may have.
    #[error("The transcript of the session is larger than a session may have, so the session has ended.")]
    Full,
    /// The spool has no room, or fails.
    #[error("The events of the session cannot be kept.")]
    Spool(#[from] SpoolError),
    /// The spool cannot be read.
    #[error("The events of the session cannot be read.")]
    Read(#[from] std::io::Error),
}

/// The events of a session as a stream of server-sent events, and the text of its deltas. The id of an event is the
/// position behind it in the stream, so that any event can be found without an index.
#[derive(Debug)]
pub(super) struct EventLog {
    events: SpoolLog,
    text: SpoolLog,
}

impl EventLog {
    pub(super) fn new(quota: &Arc<SpoolQuota>, key: ShareKey) -> Result<Self, Refused> {
        Ok(Self { events: SpoolLog::new(quota, key)?, text: SpoolLog::new(quota, key)? })
    }

    /// Appends an event.
    pub(super) async fn push(&self, data: &str) -> Result<(), EventLogError> {
        self.append(&framed(self.events.length(), data)).await
    }

    async fn append(&self, events: &str) -> Result<(), EventLogError> {
        // The text comes once more at the end, and JSON writes some characters as six bytes, but words rarely.
        let end = self.text.length().saturating_mul(2).saturating_add(ROOM_FOR_END);
        let length = u64::try_from(events.len()).unwrap_or(u64::MAX);
        if self.events.length().saturating_add(length).saturating_add(end) > MAX_BYTES {
            return Err(EventLogError::Full);
        }
        Ok(self.events.append(events.as_bytes()).await?)
    }

    /// Appends the events of a turn, all or none of which a reader has.
    pub(super) async fn push_turn(&self, segments: &[TurnSegment]) -> Result<(), EventLogError> {
        let (mut events, mut text) = (String::new(), String::new());
        for segment in segments {
            for data in [segment.delta_event(), segment.segment_event()] {
                let written = u64::try_from(events.len()).unwrap_or(u64::MAX);
                events.push_str(&framed(self.events.length().saturating_add(written), &data));
            }
            text.push_str(&segment.delta);
        }
        self.append(&events).await?;
        Ok(self.text.append(text.as_bytes()).await?)
    }

    /// Ends the log with the whole text. `usage` is a JSON object.
    pub(super) async fn finish(&self, usage: Option<&str>, duration: AudioMs) -> Result<(), EventLogError> {
        let text = self.text.read_all().await?;
        let usage = usage.and_then(|usage| RawValue::from_string(usage.to_owned()).ok());
        let mut done = json!({
            "type": "transcript.text.done",
            "text": String::from_utf8_lossy(&text),
            "duration": duration.duration().as_secs_f64(),
        });
        if let (Some(members), Some(usage)) = (done.as_object_mut(), usage) {
            members.insert("usage".to_owned(), serde_json::to_value(usage).unwrap_or_default());
        }
        let done = framed(self.events.length(), &done.to_string());
        self.events.append(done.as_bytes()).await?;
        self.events.append(framed(self.events.length(), DONE).as_bytes()).await?;
        self.close();
        Ok(())
    }

    /// Ends the log with an error.
    pub(super) fn fail(&self, data: &str) {
        self.events.append_in_memory(framed(self.events.length(), data).as_bytes());
        self.close();
    }

    fn close(&self) {
        self.events.close();
        self.text.discard();
    }

    /// Returns bytes of the stream from `place` on.
    pub(super) async fn read(&self, place: u64) -> std::io::Result<LogRead> {
        self.events.read(place).await
    }

    /// Returns true if an event ends at `place`, or the stream begins there.
    pub(super) async fn is_boundary(&self, place: u64) -> std::io::Result<bool> {
        const BLANK_LINE: u64 = 2;
        if place == 0 {
            return Ok(true);
        }
        let Some(before) = place.checked_sub(BLANK_LINE).filter(|_| place <= self.events.length()) else {
            return Ok(false);
        };
        let mut ending = Vec::new();
        while ending.len() < 2 {
            let read = u64::try_from(ending.len()).unwrap_or(BLANK_LINE);
            match self.events.read(before.saturating_add(read)).await? {
                LogRead::Bytes(bytes) => ending.extend_from_slice(&bytes),
                LogRead::End => return Ok(false),
            }
        }
        Ok(ending.starts_with(b"\n\n"))
    }
}

/// Writes an event that begins at `start`. Its data is on one line.
fn framed(start: u64, data: &str) -> String {
    let around = "id: ".len() + "\ndata: ".len() + "\n\n".len();
    let fixed = start.saturating_add(u64::try_from(around.saturating_add(data.len())).unwrap_or(u64::MAX));
    let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or_default()) + 1;
    let mut end = fixed.saturating_add(digits(fixed));
    // The id counts its own digits.
    if digits(end) > digits(fixed) {
        end = fixed.saturating_add(digits(end));
    }
    format!("id: {end}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_is_the_place_behind_it() {
        for start in (0..2000).chain(9_900..10_100).chain(99_900..100_100).chain(999_950..1_000_050) {
            let event = framed(start, "{}");
            let end = start + u64::try_from(event.len()).unwrap();
            assert!(event.starts_with(&format!("id: {end}\ndata: ")), "{start}: {event}");
        }
    }
}
