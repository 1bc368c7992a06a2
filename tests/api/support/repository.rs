//! The files of this repository.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The path of a file, from the root of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn yaml(name: &str) -> Value {
    serde_norway::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Each fenced block of the README: its language, and its text.
pub(crate) fn readme_blocks() -> Vec<(String, String)> {
    let page = text("README.md");
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).map(|(kind, text)| (kind.to_owned(), text.to_owned())).collect()
}

/// The block of the README that begins like that.
pub(crate) fn readme_block(beginning: &str) -> String {
    let (_, text) = readme_blocks().into_iter().find(|(_, text)| text.starts_with(beginning)).expect(beginning);
    text
}

/// The list at a JSON pointer.
pub(crate) fn list(value: &Value, at: &str) -> Vec<Value> {
    value.pointer(at).and_then(Value::as_array).cloned().unwrap_or_else(|| panic!("no list {at} in {value}"))
}

/// The text at a JSON pointer.
pub(crate) fn word(value: &Value, at: &str) -> String {
    value.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {at} in {value}")).to_owned()
}
