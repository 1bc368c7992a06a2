//! docker-compose.yml and what lies over it, read as compose reads them: with the variables of an `.env` put in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) use super::repository::{path, text, yaml};

pub(crate) const FILE: &str = "docker-compose.yml";

pub(crate) type Variables = BTreeMap<String, String>;

/// `${NAME}`, `${NAME:-default}` or `${NAME-default}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    /// Whether one that is set to nothing counts as not set.
    pub(crate) empty_is_unset: bool,
}

impl Variable {
    fn of(inside: &str) -> Self {
        let end = inside.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(inside.len());
        let (name, rest) = inside.split_at(end);
        let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
        assert!(!name.is_empty() && (rest.is_empty() || default.is_some()), "${{{inside}}} is not understood");
        Self { name: name.to_owned(), default: default.map(str::to_owned), empty_is_unset: rest.starts_with(':') }
    }

    fn value(&self, variables: &Variables) -> String {
        let given = variables.get(&self.name).filter(|value| !self.empty_is_unset || !value.is_empty());
        given.or(self.default.as_ref()).cloned().unwrap_or_default()
    }
}

/// `text` with its variables replaced, each of which is shown to `see`.
pub(crate) fn filled(text: &str, mut see: impl FnMut(Variable) -> String) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        let inside = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let (inside, after) = inside.unwrap_or_else(|| panic!("a variable without braces: {text}"));
        done = done + before + &see(Variable::of(inside));
        rest = after;
    }
    done + rest
}

pub(crate) fn each_text(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(list) => list.iter_mut().for_each(|value| each_text(value, change)),
        Value::Object(map) => map.values_mut().for_each(|value| each_text(value, change)),
        _ => {}
    }
}

/// What a file of compose comes to with these variables set, and the variables that it asks for.
pub(crate) fn read(name: &str, variables: &Variables) -> (Value, BTreeSet<Variable>) {
    let (mut value, mut asked) = (yaml(name), BTreeSet::new());
    each_text(&mut value, &mut |text| {
        *text = filled(text, |variable| {
            let value = variable.value(variables);
            asked.insert(variable);
            value
        });
    });
    (value, asked)
}

/// docker-compose.yml with nothing set.
pub(crate) fn compose() -> Value {
    read(FILE, &Variables::new()).0
}

/// The variables that a file of `NAME=value` sets.
pub(crate) fn set_by(text: &str) -> Variables {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("no variable: {line}")));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn of_the_profile_local() -> Variables {
    set_by(&text("deploy/compose/local.env"))
}

pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn names(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Object(map) => map.keys().map(String::as_str).collect(),
        other => list(other).iter().map(|name| name.as_str().unwrap()).collect(),
    }
}

pub(crate) fn has_a_profile(service: &Value) -> bool {
    !list(&service["profiles"]).is_empty()
}

/// Where something that is mounted comes from, and where it is in the container.
pub(crate) fn mounts(service: &Value) -> Vec<(String, String)> {
    let of = |mount: &Value| match mount.as_str() {
        Some(short) => {
            let mut parts = short.split(':').map(str::to_owned);
            (parts.next().unwrap(), parts.next().unwrap())
        }
        None => (mount["source"].as_str().unwrap().to_owned(), mount["target"].as_str().unwrap().to_owned()),
    };
    list(&service["volumes"]).iter().map(of).collect()
}
