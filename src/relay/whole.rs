//! The events that a whole answer stands for, for a client that asked for a stream.

use serde_json::{Map, Value, json};

use crate::terms::Format;

/// The data of each event: a `transcript.text.segment` for each speaker's segment, then `transcript.text.done`, which
/// holds all that the answer held.
pub(super) fn events(body: &[u8], format: Format) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let answer = if format.is_json() { serde_json::from_str::<Map<String, Value>>(&text).ok() } else { None };
    let Some(mut answer) = answer else {
        return vec![json!({ "type": "transcript.text.done", "text": text }).to_string()];
    };
    let mut events = Vec::new();
    if format == Format::DiarizedJson {
        let segments = answer.remove("segments").unwrap_or_default();
        events.extend(segments.as_array().into_iter().flatten().map(Value::to_string));
    }
    // First, as in OpenAI's own events, and whatever the answer itself may call by that name.
    let mut done = Map::new();
    done.insert("type".to_owned(), "transcript.text.done".into());
    done.extend(answer.into_iter().filter(|(name, _)| name != "type"));
    done.entry("text").or_insert_with(|| "".into());
    events.push(Value::Object(done).to_string());
    events
}
