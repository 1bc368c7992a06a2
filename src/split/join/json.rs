//! Writers of JSON from parts that are JSON already.

use serde_json::json;
use serde_json::value::RawValue;

/// A writer of an object.
#[derive(Default)]
pub(super) struct ObjectWriter(String);

impl ObjectWriter {
    /// Adds a member with a value that is JSON.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&json!(name).to_string());
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Adds a member with a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &json!(text).to_string());
    }

    /// Adds a member if there is a value.
    pub(super) fn optional(&mut self, name: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.raw(name, json);
        }
    }

    /// Returns the object.
    pub(super) fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// The items of an array, written one after the other.
#[derive(Default, Clone)]
pub(super) struct Items(String);

impl Items {
    /// Adds an item that is JSON.
    pub(super) fn push(&mut self, json: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(json);
    }

    /// Adds values.
    pub(super) fn extend(&mut self, values: &[&RawValue]) {
        for value in values {
            self.push(value.get());
        }
    }

    /// Adds all items of another array.
    pub(super) fn append(&mut self, items: &Self) {
        if !items.0.is_empty() {
            self.push(&items.0);
        }
    }

    /// Returns the array.
    pub(super) fn array(&self) -> String {
        format!("[{}]", self.0)
    }
}
