//! The members of a JSON object, each as it was written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::ObjectWriter;

/// The members of a JSON object in their order, each name once. Values are not parsed, so that numbers keep their digits.
pub(super) struct Members<'a>(Vec<(String, &'a RawValue)>);

/// The maximum number of members. Answers have a dozen.
const MAX_MEMBERS: usize = 64;

impl<'a> Members<'a> {
    /// Parses an object; `None` if `json` is none, or has more than [`MAX_MEMBERS`]. Of members with the same name the last
    /// one counts.
    pub(super) fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Returns the value of the member of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    /// Returns the value of this name if it is a string.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Returns the items of the array of this name; `None` if it is absent or no array.
    pub(super) fn array(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Returns names and values in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Writes the object again, with the values that `replaced` gives and all others as they are.
    pub(super) fn rewritten(&self, mut replaced: impl FnMut(&str) -> Option<String>) -> String {
        let mut writer = ObjectWriter::default();
        for (name, value) in self.iter() {
            match replaced(name) {
                Some(value) => writer.raw(name, &value),
                None => writer.raw(name, value.get()),
            }
        }
        writer.finish()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object with up to {MAX_MEMBERS} members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, _>()? {
                    if let Some((_, earlier)) = members.iter_mut().find(|(known, _)| *known == name) {
                        *earlier = value;
                    } else if members.len() < MAX_MEMBERS {
                        members.push((name, value));
                    } else {
                        return Err(Error::invalid_length(MAX_MEMBERS + 1, &self));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_with_its_last_value() {
        let json = br#"{"words":1,"a":2,"words":[3]}"#;
        let members = Members::parse(json).unwrap();
        assert_eq!(members.get("words").unwrap().get(), "[3]");
        assert_eq!(members.rewritten(|_| None), r#"{"words":[3],"a":2}"#);
    }

    #[test]
    fn an_object_has_no_more_members_than_the_maximum() {
        let object = |count: usize| {
            serde_json::json!(
                (0..count).map(|name| (name.to_string(), name)).collect::<std::collections::BTreeMap<_, _>>()
            )
        };
        assert!(Members::parse(object(MAX_MEMBERS).to_string().as_bytes()).is_some());
        assert!(Members::parse(object(MAX_MEMBERS + 1).to_string().as_bytes()).is_none());
    }
}
