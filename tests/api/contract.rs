//! `openapi.yaml` against the router and against every answer that any test gets.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Map, Value, json};
use voxgate::http::ErrorCode;

use crate::support::contract::CONTRACT;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::{audio, token};

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
        let path = path.replace("{asset}", "console.css");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let described = item.get(method.as_str().to_lowercase()).is_some();
            let answer = gateway.send(gateway.request(method.clone(), &path)).await;
            assert_eq!(answer.status != 405, described, "{method} {path} → {}", answer.status);
        }
    }
}

#[tokio::test]
async fn the_contract_is_served_as_yaml_and_as_a_page() {
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
        gateway.send(Form::new().field("model", model).file(&audio::wav(seconds * 1000)).on(request))
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
