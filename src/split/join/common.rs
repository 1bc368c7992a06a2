//! Members of the answers that are not joined one by one.

use std::collections::BTreeMap;

use super::members::Members;
use crate::speech::Samples;

/// The members that the joiner writes itself.
const JOINED: [&str; 9] = ["type", "task", "language", "duration", "text", "segments", "words", "logprobs", "usage"];

/// The members that the answers have in common.
#[derive(Default)]
pub(super) struct CommonMembers {
    /// The other members that are equal in all answers so far; `None` before the first.
    equal: Option<BTreeMap<String, String>>,
    /// The languages that the answers name, each with the length of its pieces.
    languages: Vec<(String, Samples)>,
}

impl CommonMembers {
    /// Takes the members of the answer for a piece of this length.
    pub(super) fn add(&mut self, answer: &Members<'_>, length: Samples) {
        let others = answer.iter().filter(|(name, _)| !JOINED.contains(name));
        let others: BTreeMap<_, _> = others.map(|(name, value)| (name, value.get())).collect();
        if let Some(equal) = &mut self.equal {
            equal.retain(|name, value| others.get(name.as_str()) == Some(&value.as_str()));
        } else {
            let owned = others.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            self.equal = Some(owned.collect());
        }
        if let Some(language) = answer.get("language").map(|language| language.get().to_owned()) {
            match self.languages.iter_mut().find(|(known, _)| *known == language) {
                Some((_, total)) => *total = total.saturating_add(length),
                None => self.languages.push((language, length)),
            }
        }
    }

    /// Returns the names and values that are equal in all answers.
    pub(super) fn equal(&self) -> impl Iterator<Item = (&str, &str)> {
        self.equal.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the language of the longest part of the recording, as JSON.
    pub(super) fn main_language(&self) -> Option<&str> {
        // The first of equals, which `max_by_key` does not give.
        let longest = self.languages.iter().rev().max_by_key(|(_, length)| *length);
        longest.map(|(language, _)| language.as_str())
    }

    /// Returns the language that all answers name, as JSON.
    pub(super) fn only_language(&self) -> Option<&str> {
        match self.languages.as_slice() {
            [(language, _)] => Some(language),
            _ => None,
        }
    }
}
