//! The documentation, read and searched as its readers do.

use std::process::Command;

use serde_json::{Value, json};

use super::browser;
use crate::support::gateway::Gateway;
use crate::support::repository;

#[tokio::test]
async fn the_documentation_is_read_and_searched() {
    let Some(chromium) = browser() else { return };
    let gateway = Gateway::start().await;
    let mut command = Command::new(repository::path(".test-tools/node"));
    command.arg(repository::path("tests/browser/pages.mjs")).env("CHROMIUM", chromium);
    command.env("GATEWAY", gateway.url(""));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{said}");
    let found: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |is: &str| found.iter().filter(|one| one["is"] == is).cloned().collect::<Vec<_>>();
    let one = |is: &str| of(is).first().cloned().unwrap_or_else(|| panic!("no {is} in {out}"));

    assert!(of("error").is_empty(), "{:?}", of("error"));
    assert_eq!(of("look").len(), 25);
    for look in of("look") {
        assert_eq!((&look["violations"], &look["wide"]), (&json!([]), &json!(false)), "{look}");
    }

    let results = one("results");
    let list = results["results"].as_array().unwrap();
    assert_eq!(list[0]["to"], "/docs/limits", "the page of that title comes first: {results}");
    assert!(list.len() > 3 && list.len() <= 12 && results["said"].as_str().unwrap().ends_with(" results"), "{results}");
    for result in list {
        let text = result["text"].as_str().unwrap().to_lowercase();
        assert!(text.contains("rate") || text.contains("limit"), "{result}");
        let marks = result["marks"].as_array().unwrap();
        let is_word = |mark: &Value| ["rate", "limit"].contains(&mark.as_str().unwrap().to_lowercase().as_str());
        assert!(!marks.is_empty() && marks.iter().all(is_word), "{result}");
    }
    let keys = one("keys");
    assert_eq!([&keys["first"], &keys["second"]], [&list[0]["to"], &list[1]["to"]], "{keys}");
    assert_eq!([&keys["back"], &keys["focus"]], ["docs-query", "docs-query"], "{keys}");
    assert_eq!(keys["closed"], true);
    assert_eq!(one("nothing")["text"], "Nothing found.");
    assert!(one("opened")["text"].as_str().unwrap().contains("max_queue"), "{}", one("opened")["url"]);
    assert_eq!(one("copied")["text"], one("copied")["block"]);
    assert_eq!((&one("anchor")["hash"], &one("anchor")["top"]), (&json!("#begin-with-a-file"), &json!(true)));
    assert_eq!((&one("side")["current"], &one("side")["isOpen"]), (&json!("Settings"), &json!(true)));
    assert_eq!((&one("narrow")["isClosed"], &one("narrow")["isOpen"]), (&json!(true), &json!(true)));
    assert_eq!(one("table")["scrolls"], true);
    assert_eq!(one("origins")["elsewhere"], json!([]));
}
