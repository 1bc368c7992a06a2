//! The operator's page, looked at as its operator does.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::browser;
use crate::support::account::Account;
use crate::support::gateway::Setup;
use crate::support::repository;

const TOKEN: &str = "the-token-of-the-operator";

#[tokio::test]
async fn the_operators_page_shows_the_gateway_and_its_usage() {
    let Some(chromium) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    let open = Setup::new().start().await;
    let closed = Setup::new().env("VOXGATE_OPS_BIND", "0.0.0.0:0");
    let closed = closed.env("VOXGATE_CONSOLE__OPERATOR_TOKEN_FILE", file.to_str().unwrap()).start().await;
    for gateway in [&open, &closed] {
        for (name, seconds) in [("alice", 90), ("<b>bob</b>", 2)] {
            let caller = Account::of(name, "default");
            assert_eq!(caller.transcribe(gateway, seconds * 1000).await.status, 200);
            caller.settled(gateway).await;
        }
    }
    let mut command = Command::new(repository::path(".test-tools/node"));
    command.arg(repository::path("tests/browser/operator.mjs")).env("CHROMIUM", chromium).env("TOKEN", TOKEN);
    command.env("OPEN", format!("http://{}/", open.ops_address));
    command.env("CLOSED", format!("http://127.0.0.1:{}/", closed.ops_address.port()));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{said}");
    let found: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |is: &str| found.iter().filter(|one| one["is"] == is).cloned().collect::<Vec<_>>();
    let one = |is: &str| of(is).first().cloned().unwrap_or_else(|| panic!("no {is} in {out}"));

    assert!(of("error").is_empty(), "{out}");
    assert_eq!(of("look").len(), 5, "{out}");
    for look in of("look") {
        assert_eq!((&look["violations"], &look["wide"]), (&json!([]), &json!(false)), "{look}");
    }
    for (id, words) in [
        ("status", &["Ready"][..]),
        ("gauges", &["Requests in flight", "SQLite", "Spool on disk", "Decoding"]),
        ("providers", &["openai", "in use", "default: usable"]),
        ("totals", &["Requests", "2", "1 min 32 s", "$"]),
        ("callers", &["alice", "<b>bob</b>"]),
        ("models", &["gpt-transcribe"]),
        ("requests", &["answered", "alice", "<b>bob</b>", "1 min 30 s"]),
    ] {
        let text = one("text")[id].as_str().unwrap_or_default().to_owned();
        for word in words {
            assert!(text.contains(word), "{id}, {word}: {text}");
        }
    }
    assert!(one("sheet")["name"].as_str().unwrap().starts_with("voxgate-usage-2"), "{out}");
    assert!(one("sheet")["text"].as_str().unwrap().contains("\"caller\",\"alice\",1,90000,"), "{out}");
    assert_eq!(one("opened")["kept"], json!([["voxgate.operator-token"], 0]));
    assert_eq!(one("origins")["elsewhere"], json!([]));
}
