//! `openapi.yaml`, and whether an answer is one that it has.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::gateway::Answer;

pub(crate) static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let yaml = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    Contract { document: serde_norway::from_str(&yaml).unwrap(), validators: Mutex::default() }
});

pub(crate) struct Contract {
    pub(crate) document: Value,
    /// Making one takes longer than using it.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// That an answer is one that the contract has: its status, its headers, its type, its body.
#[track_caller]
pub(crate) fn assert_documented(method: &Method, path: &str, answer: &Answer) {
    let place = format!("{method} {path} → {}", answer.status);
    if *method == Method::OPTIONS && answer.header("access-control-allow-methods").is_some() {
        // A browser that asks first; no route of its own.
        return assert_eq!((answer.status, answer.text()), (200, ""), "{place}");
    }
    let Some(operation) = CONTRACT.operation(method, path) else {
        assert!(matches!(answer.status, 403..=405), "{place} is not in the contract");
        return CONTRACT.fits(&json!({ "$ref": "#/components/schemas/ErrorResponse" }), &answer.json(), &place);
    };
    let responses = &operation["responses"];
    let documented = responses.get(answer.status.to_string()).or_else(|| responses.get("default"));
    let response = CONTRACT.resolve(documented.unwrap_or_else(|| panic!("{place}: the status is not documented")));
    CONTRACT.headers_fit(response, answer, &place);
    if *method == Method::HEAD {
        return;
    }
    let Some(content) = response["content"].as_object() else {
        assert!(matches!(answer.status, 204 | 304) && answer.text().is_empty(), "{place} has a body");
        return;
    };
    let content_type = answer.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let media = content.get(essence).or_else(|| content.get("*/*"));
    let media = media.unwrap_or_else(|| panic!("{place}: {essence:?} is not documented"));
    match essence {
        "application/json" => CONTRACT.fits(&media["schema"], &answer.json(), &place),
        "text/event-stream" => {
            // What a provider frames in another way than the gateway does is passed on, and other tests look at it.
            for event in answer.events().iter().filter_map(|data| serde_json::from_str(data).ok()) {
                CONTRACT.fits(&json!({ "$ref": "#/components/schemas/StreamEvent" }), &event, &place);
            }
        }
        _ => {}
    }
}

impl Contract {
    pub(crate) fn paths(&self) -> &Map<String, Value> {
        self.document["paths"].as_object().unwrap()
    }

    /// The operation at a path, which may fill in a `{name}`.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        // A page may have a slash at its end.
        let path = path.strip_suffix('/').filter(|path| path.starts_with("/docs")).unwrap_or(path);
        let same = |template: &str| {
            let parts = template.split('/').zip(path.split('/'));
            let (given, described) = (path.split('/').count(), template.split('/').count());
            // The name of a model or of a page may have slashes in it.
            let long = (template.ends_with("/{model}") || template == "/docs/{asset}") && given > described;
            parts.into_iter().all(|(part, given)| (part.starts_with('{') && !given.is_empty()) || part == given)
                && (long || given == described)
        };
        let item = self.paths().iter().find(|(template, _)| same(template))?.1;
        // The document says once for all that HEAD is answered wherever GET is.
        let name = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
        item.get(name)
    }

    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).expect(reference),
            None => value,
        }
    }

    fn headers_fit(&self, response: &Value, answer: &Answer, place: &str) {
        let empty = Map::new();
        let documented = response["headers"].as_object().unwrap_or(&empty);
        for (name, header) in documented {
            let required = self.resolve(header)["required"] == Value::Bool(true);
            assert!(!required || answer.header(name).is_some(), "{place}: no {name}");
        }
        // What HTTP itself, or every server, has.
        let common = [
            "access-control-allow-origin",
            "access-control-expose-headers",
            "allow",
            "cache-control",
            "connection",
            "content-length",
            "content-security-policy",
            "content-type",
            "date",
            "etag",
            "referrer-policy",
            "strict-transport-security",
            "transfer-encoding",
            "vary",
            "x-accel-buffering",
            "x-content-type-options",
            "x-voxgate-provider",
        ];
        for name in answer.headers.keys().map(reqwest::header::HeaderName::as_str) {
            assert!(common.contains(&name) || documented.contains_key(name), "{place}: {name} is not documented");
        }
    }

    pub(crate) fn fits(&self, schema: &Value, instance: &Value, place: &str) {
        let key = schema.to_string();
        let known = self.validators.lock().unwrap().get(&key).cloned();
        let validator = known.unwrap_or_else(|| {
            let mut whole = schema.clone();
            whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
            whole["components"] = self.document["components"].clone();
            let validator = Arc::new(jsonschema::validator_for(&whole).unwrap());
            self.validators.lock().unwrap().insert(key, Arc::clone(&validator));
            validator
        });
        let faults: Vec<_> = validator.iter_errors(instance).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{place}: {instance}\n{}", faults.join("\n"));
    }
}
