//! The reader of settings in a TOML tree. It records every mistake instead of stopping at the first.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::Path;
use std::rc::Rc;

use toml::{Table, Value};

use super::files::Files;
use super::value::Setting;

/// A mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    key: String,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// All mistakes in the settings.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// The files that were read.
    files: Files,
}

impl Problems {
    pub(super) fn among(files: Files) -> Self {
        Self { found: Vec::new(), files }
    }

    /// True if there is no mistake.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the files that these settings were read from.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Records a mistake at `key`.
    pub fn add(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.found.push(Problem { key: key.into(), what: what.into() });
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.found.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {plural} in the settings:", self.found.len())?;
        self.found.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// The environment variable that each key came from, so that messages name the variable that the operator wrote.
pub(super) type Origins = HashMap<String, String>;

/// The state that the sections of one tree share: the mistakes found so far, and the files that were read.
pub(super) struct Diagnostics {
    problems: RefCell<Problems>,
    origins: Origins,
}

impl Diagnostics {
    /// Returns the mistakes found so far.
    pub(super) fn problems(&self) -> Problems {
        self.problems.borrow().clone()
    }
}

/// A table of the settings. Reading a key takes it out; a key that is left over at the end is unknown.
pub(super) struct Section {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    diagnostics: Rc<Diagnostics>,
}

impl Section {
    pub(super) fn root(table: Table, origins: Origins, files: Files) -> Self {
        let diagnostics = Rc::new(Diagnostics { problems: RefCell::new(Problems::among(files)), origins });
        Self { path: String::new(), table, known: Vec::new(), diagnostics }
    }

    /// Returns the value of `key`, or `default` if it is missing, or wrong, which is recorded.
    pub(super) fn value<T: Setting>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// Returns the value of `key`, if it is there and valid.
    pub(super) fn optional<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        let parsed = T::parse(&value);
        let wrong = |error| {
            let got = if T::SECRET { "a value that is not shown".to_owned() } else { shown(&value) };
            self.problem(key, format!("got {got}; {error}"));
        };
        parsed.map_err(wrong).ok()
    }

    /// Returns the number at `key`, if it is there and within `range`.
    pub(super) fn ranged(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        let number = u64::parse(&value).ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (min, max) = (range.start(), range.end());
            self.problem(key, format!("got {}; takes a whole number from {min} to {max}", shown(&value)));
        }
        number
    }

    /// Returns the weight at `key`, if it is there and valid: a share of the requests.
    pub(super) fn weight(&mut self, key: &'static str) -> Option<NonZeroU32> {
        let weight = self.ranged(key, 1..=1000)?;
        NonZeroU32::new(u32::try_from(weight).ok()?)
    }

    /// Returns the table of texts at `key`, whatever their names, if it is there.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<BTreeMap<String, String>> {
        if !self.contains(key) {
            self.known.push(key);
            return None;
        }
        let texts = self.section(key);
        let text = |(name, value): (&String, &Value)| match value {
            Value::String(text) => Some((name.clone(), text.clone())),
            Value::Integer(_) | Value::Boolean(_) => Some((name.clone(), value.to_string())),
            other => {
                texts.problem(name, format!("got a {}; takes a string", other.type_str()));
                None
            }
        };
        Some(texts.table.iter().filter_map(text).collect())
    }

    /// Returns the table at `key`, or an empty one if it is missing.
    pub(super) fn section(&mut self, key: &'static str) -> Section {
        self.known.push(key);
        let value = self.table.remove(key).unwrap_or_else(|| Value::Table(Table::new()));
        self.child(key, value)
    }

    /// Returns the tables inside the table at `key`, such as `[models."…"]`, by name.
    pub(super) fn named_sections(&mut self, key: &'static str) -> Vec<(String, Section)> {
        let tables = self.section(key);
        let children = tables.table.iter().map(|(name, value)| (name.clone(), tables.child(name, value.clone())));
        children.collect()
    }

    /// Returns the array of tables at `key`, such as `[[identity.keys]]`.
    pub(super) fn listed_sections(&mut self, key: &'static str) -> Vec<Section> {
        self.known.push(key);
        match self.table.remove(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                items.into_iter().enumerate().map(|(i, value)| self.child(&format!("{key}[{i}]"), value)).collect()
            }
            Some(other) => {
                self.problem(
                    key,
                    format!("got a {}; takes tables, each written [[{}]]", other.type_str(), self.full(key)),
                );
                Vec::new()
            }
        }
    }

    /// Creates an empty table at `path`, for a section that exists without being written down.
    pub(super) fn empty_child(&self, path: &str) -> Section {
        self.child(path, Value::Table(Table::new()))
    }

    /// True if `key` was given and has not been read yet.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn child(&self, key: &str, value: Value) -> Section {
        let table = match value {
            Value::Table(table) => table,
            other => {
                // The message does not show the value: it may have been meant as a secret.
                self.problem(key, format!("got a {}; takes a table", other.type_str()));
                Table::new()
            }
        };
        Section { path: self.full(key), table, known: Vec::new(), diagnostics: Rc::clone(&self.diagnostics) }
    }

    /// Reads a file that a setting names.
    pub(super) fn file(&self, path: &Path) -> io::Result<String> {
        self.diagnostics.problems.borrow_mut().files.read(path)
    }

    /// Records that the value of `key` is wrong.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>) {
        let key = self.full(key);
        let named = match self.diagnostics.origins.get(&key) {
            Some(variable) => format!("{key} ({variable})"),
            None => key,
        };
        self.diagnostics.problems.borrow_mut().add(named, what);
    }

    /// Records the keys that are unknown, each with the nearest known one.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let nearest = self.known.iter().min_by_key(|known| strsim::damerau_levenshtein(key, known));
            let hint = match nearest {
                Some(known) if strsim::normalized_damerau_levenshtein(key, known) > 0.5 => {
                    format!("unknown key; did you mean {known}?")
                }
                _ => format!("unknown key; this table takes {}", self.known.join(", ")),
            };
            self.problem(key, hint);
        }
    }

    /// Returns the mistakes that this whole tree of sections shares.
    pub(super) fn diagnostics(&self) -> Rc<Diagnostics> {
        Rc::clone(&self.diagnostics)
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
