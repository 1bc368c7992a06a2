//! `openapi.yaml` against the router and against every answer that any test gets.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use voxgate::http::ErrorCode;

use crate::form::Form;
use crate::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::{sound, token};

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let yaml = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    Contract { document: serde_norway::from_str(&yaml).unwrap(), validators: Mutex::default() }
});

struct Contract {
    document: Value,
    /// Making one takes longer than using it.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// That an answer is one that the contract has: its status, its headers, its type, its body.
#[track_caller]
pub(crate) fn holds(method: &Method, path: &str, answer: &Answer) {
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
        assert_eq!((answer.status, answer.text()), (204, ""), "{place} has a body");
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
    fn paths(&self) -> &Map<String, Value> {
        self.document["paths"].as_object().unwrap()
    }

    /// The operation at a path, which may fill in a `{name}`.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let same = |template: &str| {
            let parts = template.split('/').zip(path.split('/'));
            let (given, described) = (path.split('/').count(), template.split('/').count());
            // The name of a model may have slashes in it.
            let long = template.ends_with("/{model}") && given > described;
            parts.into_iter().all(|(part, given)| (part.starts_with('{') && !given.is_empty()) || part == given)
                && (long || given == described)
        };
        let item = self.paths().iter().find(|(template, _)| same(template))?.1;
        // The document says once for all that HEAD is answered wherever GET is.
        let name = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
        item.get(name)
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
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

    fn fits(&self, schema: &Value, instance: &Value, place: &str) {
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

#[test]
fn the_contract_and_the_router_have_the_same_routes() {
    let described: BTreeSet<_> = CONTRACT
        .paths()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .filter(|(method, _)| matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD"))
        .collect();
    let routed: BTreeSet<_> =
        voxgate::http::public_routes().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(described, routed);
}

#[tokio::test]
async fn every_route_of_the_contract_is_there_and_no_other_method() {
    let gateway = Gateway::start().await;
    for (path, item) in CONTRACT.paths() {
        let path = path.replace("{asset}", "swagger-ui.css");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let described = item.get(method.as_str().to_lowercase()).is_some();
            let answer = gateway.send(gateway.request(method.clone(), &path)).await;
            assert_eq!(answer.status != 405, described, "{method} {path} → {}", answer.status);
        }
    }
}

#[tokio::test]
async fn the_contract_is_served_as_it_is_written_and_as_a_page_that_loads_nothing_from_elsewhere() {
    let gateway = Gateway::start().await;
    let served = gateway.send(gateway.request(Method::GET, "/openapi.yaml")).await;
    assert_eq!(served.text(), voxgate::http::OPENAPI);
    let page = gateway.send(gateway.request(Method::GET, "/docs")).await;
    let assets: Vec<_> = page
        .text()
        .split('"')
        .filter(|text| [".css", ".js", ".png"].iter().any(|ending| text.ends_with(ending)))
        .collect();
    assert!(assets.len() >= 4, "{}", page.text());
    for asset in assets {
        assert!(asset.starts_with("/docs/"), "{asset}");
        let answer = gateway.send(gateway.request(Method::GET, asset)).await;
        assert_eq!((answer.status, answer.body.is_empty()), (200, false), "{asset}");
    }
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
}

#[test]
fn every_example_in_the_contract_fits_its_schema() {
    fn check(value: &Value, place: &str) -> usize {
        let examples = value["examples"].as_object().filter(|_| value["schema"].is_object());
        for (name, example) in examples.into_iter().flatten() {
            CONTRACT.fits(&value["schema"], &CONTRACT.resolve(example)["value"], &format!("{place}/{name}"));
        }
        let children = value.as_object().into_iter().flatten().map(|(name, child)| (name.clone(), child));
        let items = value.as_array().into_iter().flatten().map(|item| ("-".to_owned(), item));
        let deeper = children.chain(items).map(|(name, child)| check(child, &format!("{place}/{name}")));
        examples.map_or(0, Map::len) + deeper.sum::<usize>()
    }
    let checked = check(&CONTRACT.document, "");
    assert!(checked > 60, "{checked}");
}

/// Every answer is held against the contract where it is read, so to have them given is to check them.
#[tokio::test]
async fn refusals_by_limits_and_usage_are_as_the_contract_has_them() {
    let toml = "[models.unpriced]\n\
                [plans.slow]\nrequests_per_minute = 1\naudio_seconds_per_minute = 600\n\
                [plans.poor]\nmonthly_usd = \"0\"\naudio_seconds_per_minute = 1\naudio_burst_seconds = 1\n";
    let gateway = Setup::new().config(toml).start().await;
    let ask = |plan: &'static str, model: &'static str, seconds: usize| {
        let token = token::with(&json!({ "sub": plan, "plan": plan }));
        let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token);
        gateway.send(Form::new().field("model", model).file(&sound::wav(seconds * 1000)).on(request))
    };
    let told = ask("slow", "gpt-transcribe", 1).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let refused = ask("slow", "gpt-transcribe", 1).await;
    refused.is_error(429, "rate_limit_exceeded", None);
    ask("poor", "gpt-transcribe", 1).await.is_error(429, "insufficient_quota", None);
    ask("poor", "unpriced", 1).await.is_error(403, "model_not_priced", Some("model"));
    ask("poor", "gpt-transcribe", 2).await.is_error(400, "audio_too_long", Some("file"));
    // The contract has these where a plan limits requests; this one does.
    for name in ["limit-requests", "remaining-requests", "reset-requests"].map(|name| format!("x-ratelimit-{name}")) {
        assert!(told.header(&name).is_some() && refused.header(&name).is_some(), "{name}");
    }
    for name in ["ratelimit", "ratelimit-policy"] {
        assert!(told.header(name).is_some() && refused.header(name).is_some(), "{name}");
    }

    let usage = gateway.send(gateway.get("/v1/usage")).await;
    let described = CONTRACT.document["components"]["schemas"]["MonthlyUsage"]["properties"].as_object().unwrap();
    let names = |object: &Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!((usage.status, names(usage.json().as_object().unwrap())), (200, names(described)));
    for part in ["limits", "left"] {
        let described = described[part]["properties"].as_object().unwrap();
        assert_eq!(names(usage.json()[part].as_object().unwrap()), names(described));
    }
    gateway.send(gateway.get("/v1/usage?month=2026-13")).await.is_error(400, "invalid_value", Some("month"));
    gateway.send(gateway.request(Method::GET, "/v1/usage")).await.is_error(401, "invalid_token", None);
    let token = token::with(&json!({ "scope": "transcribe" }));
    let request = gateway.request(Method::GET, "/v1/usage").bearer_auth(token);
    gateway.send(request).await.is_error(403, "insufficient_scope", None);
    assert_eq!(gateway.send(gateway.get("/health/ready")).await.json(), json!({ "status": "ready", "store": "ready" }));
}

/// The cells of the rows of Markdown tables in `text`.
fn table_rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.trim().strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").collect())
}

/// The codes that a cell names, each between backticks.
fn codes_in(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_contract_has_each_error_code_with_its_status_and_type_and_no_other() {
    let schema = &CONTRACT.document["components"]["schemas"]["Error"];
    let mut described = BTreeSet::new();
    for cells in table_rows(schema["description"].as_str().unwrap()) {
        // The rows of a provider's own statuses, and of events in a stream, come after a word.
        let statuses: Vec<u16> = cells[0].split(", ").filter_map(|status| status.parse().ok()).collect();
        for code in codes_in(cells[2]).filter(|_| !cells[1].contains("provider")) {
            described.insert((code, cells[1], statuses.clone()));
        }
    }
    for code in ErrorCode::ALL {
        let of_code: Vec<_> = described.iter().filter(|(described, ..)| *described == code.as_str()).collect();
        let usual = of_code.iter().find(|(_, kind, statuses)| {
            *kind == code.kind().as_str() && (statuses.is_empty() || statuses.contains(&code.status().as_u16()))
        });
        assert!(usual.is_some(), "{code}: openapi.yaml has {of_code:?}");
    }
    let known: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let described: BTreeSet<_> = described.iter().map(|(code, ..)| *code).collect();
    assert_eq!(described, known);
}

#[test]
fn the_list_of_errors_has_each_error_code_and_no_other() {
    let list = include_str!("../../docs/errors.md");
    let mut listed = BTreeSet::new();
    for block in list.split("\n\n") {
        let mut rows = table_rows(block);
        let code_column = rows.next().and_then(|head| head.iter().position(|cell| *cell == "code"));
        if let Some(column) = code_column {
            listed.extend(rows.flat_map(|cells| codes_in(cells[column])));
        }
    }
    assert_eq!(listed, ErrorCode::ALL.iter().map(|code| code.as_str()).collect());
}
