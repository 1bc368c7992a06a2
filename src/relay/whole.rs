//! Conversion of a whole answer to events, for a client that asked for a stream.

use std::collections::BTreeMap;

use serde_json::json;
use serde_json::value::RawValue;

use crate::domain::terms::Format;
use crate::domain::text::without_byte_order_mark;

/// Members by name, each as the provider wrote it: numbers keep their digits, and no value is copied.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Returns the data of each event: a `transcript.text.segment` for each speaker's segment, then `transcript.text.done`
/// with everything else in the answer.
pub(super) fn events(body: &[u8], format: Format) -> Vec<String> {
    let body = without_byte_order_mark(body);
    let members = if format.is_json() { serde_json::from_slice::<Members<'_>>(body).ok() } else { None };
    let Some(mut members) = members else {
        let text = String::from_utf8_lossy(body);
        return vec![json!({ "type": "transcript.text.done", "text": text }).to_string()];
    };
    let mut events = Vec::new();
    if format == Format::DiarizedJson
        && let Some(segments) = members.remove("segments")
    {
        let segments = serde_json::from_str::<Vec<&RawValue>>(segments.get()).unwrap_or_default();
        events.extend(segments.into_iter().map(|segment| segment.get().to_owned()));
    }
    // The event's own `type` replaces a member of that name.
    members.remove("type");
    let text = members.remove("text").map_or("\"\"", RawValue::get);
    let rest = members.into_iter().map(|(name, value)| format!(",{}:{}", json!(name), value.get()));
    let rest: Vec<_> = rest.collect();
    events.push(format!(r#"{{"type":"transcript.text.done","text":{text}{}}}"#, rest.concat()));
    events
}
