//! The text fields of a request as they arrive, with their limits.

use super::IntakeError;
use crate::config;

const REFERENCES: &str = "known_speaker_references";

/// The fields' names and values in the order of arrival.
#[derive(Debug)]
pub(super) struct Fields {
    pairs: Vec<(String, String)>,
    text_bytes: usize,
    visited: usize,
    max_count: usize,
    max_text_bytes: usize,
    max_reference_bytes: usize,
}

impl Fields {
    pub(super) fn new(settings: &config::Intake) -> Self {
        Self {
            pairs: Vec::new(),
            text_bytes: 0,
            visited: 0,
            max_count: settings.max_fields,
            max_text_bytes: settings.max_text_bytes,
            max_reference_bytes: settings.max_reference_bytes,
        }
    }

    /// Returns the maximum number of bytes that a field of this name may have now.
    pub(super) fn room_for(&self, name: &str) -> usize {
        if base_name(name) == REFERENCES {
            self.max_reference_bytes
        } else {
            self.max_text_bytes.saturating_sub(self.text_bytes)
        }
    }

    /// Adds a field. Its name must be valid in a form without quoting, so that no part of it can be mistaken for other
    /// syntax there.
    pub(super) fn add(&mut self, name: String, value: String) -> Result<(), IntakeError> {
        self.visit(&name)?;
        if value.len() > self.room_for(&name) {
            return Err(self.too_large(&name));
        }
        if base_name(&name) != REFERENCES {
            self.text_bytes += value.len();
        }
        self.pairs.push((name, value));
        Ok(())
    }

    /// Replaces the value of an earlier field with `value`.
    pub(super) fn replace(&mut self, place: usize, value: String) -> Result<(), IntakeError> {
        let Some((name, old)) = self.pairs.get(place).map(|(name, old)| (name.clone(), old.len())) else {
            return Ok(());
        };
        let is_text = base_name(&name) != REFERENCES;
        if is_text {
            self.text_bytes = self.text_bytes.saturating_sub(old);
        }
        if value.len() > self.room_for(&name) {
            return Err(self.too_large(&name));
        }
        if is_text {
            self.text_bytes += value.len();
        }
        if let Some((_, there)) = self.pairs.get_mut(place) {
            *there = value;
        }
        Ok(())
    }

    /// Counts a field and checks its name, before the field is used. A JSON value that contains others counts too, so
    /// nesting does not evade the limit.
    pub(super) fn visit(&mut self, name: &str) -> Result<(), IntakeError> {
        if self.visited >= self.max_count {
            return Err(IntakeError::TooManyFields { allowed: self.max_count });
        }
        self.visited += 1;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
            return Err(IntakeError::FieldName);
        }
        match base_name(name) {
            "file" | "audio" | "input_audio" => Err(IntakeError::Reserved { name: base_name(name).to_owned() }),
            _ => Ok(()),
        }
    }

    pub(super) fn too_large(&self, name: &str) -> IntakeError {
        let allowed = if base_name(name) == REFERENCES { self.max_reference_bytes } else { self.max_text_bytes };
        IntakeError::FieldTooLarge { name: base_name(name).to_owned(), allowed }
    }

    /// Returns true if a field of this name has arrived.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// Returns the name before the first bracket: `timestamp_granularities` of `timestamp_granularities[]`,
/// `chunking_strategy` of `chunking_strategy[type]`.
pub(super) fn base_name(name: &str) -> &str {
    name.split_once('[').map_or(name, |(base, _)| base)
}
