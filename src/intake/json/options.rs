//! The options: `serde_json` reads the text that stays in the sieve.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::{JsonError, kind_of_value};
use crate::domain::text::{printable, without_byte_order_mark};

/// The length beyond which a message shortens a name.
const SHOWN_NAME: usize = 64;

/// Returns the options in a body whose audio was removed, without the empty string in its place.
pub(super) fn read(skeleton: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let text = without_byte_order_mark(skeleton);
    let Some(&first) = text.trim_ascii_start().first() else { return Err(JsonError::Empty) };

    let mut repeated = None;
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = Members { repeated: &mut repeated }.deserialize(&mut json);
    let mut options = read.and_then(|options| json.end().map(|()| options)).map_err(|error| {
        match (repeated.take(), error.classify()) {
            (Some(name), _) => JsonError::Repeated { name },
            (None, Category::Eof) => JsonError::CutShort,
            (None, Category::Data) if first != b'{' => JsonError::NotAnObject { came: kind_of_value(first) },
            _ => JsonError::Malformed(error),
        }
    })?;
    if let Some(Value::Object(input_audio)) = options.get_mut("input_audio") {
        input_audio.shift_remove("data");
    }
    Ok(options)
}

/// Returns the name of a member that suggests audio, in a body that has none.
pub(super) fn misplaced_audio(options: &Map<String, Value>) -> Option<String> {
    let is_it = |name: &str| ["file", "audio"].iter().any(|word| name.to_ascii_lowercase().contains(word));
    let (name, _) = options.iter().find(|(name, value)| value.is_string() && is_it(name) && *name != "filename")?;
    Some(printable(name, SHOWN_NAME))
}

/// A reader of the body's members that leaves out `audio`. Of two members with the same name `serde_json` would
/// silently keep the last; this reader reports an error and leaves the name in `repeated`.
struct Members<'a> {
    repeated: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut options = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == "audio" {
                members.next_value::<IgnoredAny>()?;
            } else if options.contains_key(&name) {
                *self.repeated = Some(name.chars().take(SHOWN_NAME).collect());
                return Err(A::Error::custom("repeated member"));
            } else {
                options.insert(name, members.next_value()?);
            }
        }
        Ok(options)
    }
}
