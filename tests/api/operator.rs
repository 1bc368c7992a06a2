//! `/operator/…` on the second listener: what the gateway is doing and what its callers used, for the operator alone.

use std::fs;

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::money::nano_usd;
use crate::support::poll::until;
use crate::support::provider::KEY;
use crate::support::stores::with_each_store;

const PATHS: [&str; 4] = ["/operator/state", "/operator/usage", "/operator/usage.csv", "/operator/requests"];

const PAGE: [&str; 3] = ["/", "/operator/page.css", "/operator/page.js"];

async fn read(gateway: &Gateway, path: &str) -> Answer {
    read_with(gateway, path, &[]).await
}

async fn read_with(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(gateway.operational(path), |request, (name, value)| request.header(*name, *value));
    gateway.send(request).await
}

fn code(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["error"]["code"].clone())
}

#[tokio::test]
async fn sums_and_last_requests_name_all_callers_and_no_content() {
    for (gateway, _redis) in with_each_store(Setup::new).await {
        let callers = [("=alice", 3, "gpt-transcribe"), ("bob", 2, "whisper-1"), ("carol", 1, "gpt-transcribe")];
        for (name, seconds, model) in callers {
            let caller = Account::of(name, "default");
            for _ in 0..2 {
                let form = Form::new().fields(&[("model", model), ("prompt", "confidential")]);
                let answer = caller.send(&gateway, form.file(&audio::wav(seconds * 1000))).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            caller.settled(&gateway).await;
        }
        let usage = read(&gateway, "/operator/usage").await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(usage.header(name), Some(value), "{name}");
        }
        assert_eq!(usage.header("access-control-allow-origin"), None);
        let usage = usage.json();
        assert_eq!((&usage["object"], &usage["total"]["requests"]), (&json!("operator.usage"), &json!(6)), "{usage}");
        // whisper-1 reports nothing in JSON that the gateway would not measure itself.
        let subjects: Vec<_> =
            usage["by_caller"].as_array().unwrap().iter().map(|one| one["subject"].clone()).collect();
        assert_eq!(subjects, ["=alice", "bob", "carol"], "by money: {usage}");
        assert_eq!(usage["other_callers"], json!({ "requests": 0, "audio_ms": 0, "spent_usd": "0.00" }));
        let total = nano_usd(&usage["total"]["spent_usd"]);
        for (group, rows) in [("by_caller", 3), ("by_model", 2), ("by_day", 1)] {
            let rows_of = usage[group].as_array().unwrap();
            let spent: u64 = rows_of.iter().map(|row| nano_usd(&row["spent_usd"])).sum();
            assert_eq!((rows_of.len(), spent), (rows, total), "{group}: {usage}");
        }

        let csv = read(&gateway, "/operator/usage.csv").await;
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        let month = usage["month"].as_str().unwrap();
        let disposition = format!("attachment; filename=\"voxgate-usage-{month}.csv\"");
        assert_eq!(csv.header("content-disposition"), Some(disposition.as_str()));
        let text = csv.text();
        assert!(
            text.starts_with("\"part\",\"name\",\"requests\",\"audio_ms\",\"spent_usd\"\r\n\"total\",\"\",6,"),
            "{text}"
        );
        assert!(
            text.contains("\r\n\"caller\",\"'=alice\",2,6000,") && text.contains("\r\n\"model\",\"whisper-1\",2,"),
            "{text}"
        );

        let requests = read(&gateway, "/operator/requests").await;
        let list = requests.json();
        let data = list["data"].as_array().unwrap();
        assert_eq!((data.len(), &list["object"]), (6, &json!("list")), "{list}");
        let newest = [&data[0]["subject"], &data[0]["plan"], &data[0]["status"], &data[0]["model"]];
        assert_eq!(newest, [&json!("carol"), &json!("default"), &json!("settled"), &json!("gpt-transcribe")], "{list}");
        assert!(!requests.text().contains("confidential") && !requests.text().contains("text"), "{list}");

        let past = read(&gateway, "/operator/usage?month=2020-01").await.json();
        assert_eq!((&past["total"]["requests"], &past["by_caller"]), (&json!(0), &json!([])), "{past}");
        assert_eq!(code(&read(&gateway, "/operator/usage?month=November").await), (400, json!("invalid_value")));
        // For half a minute, what was read stays.
        Account::of("dave", "default").transcribe(&gateway, 1000).await;
        Account::of("dave", "default").settled(&gateway).await;
        assert_eq!(read(&gateway, "/operator/usage").await.json()["read_at"], usage["read_at"]);
    }
}

#[tokio::test]
async fn the_state_names_providers_and_keys_and_shows_no_key() {
    for (gateway, redis) in with_each_store(Setup::new).await {
        let answer = read(&gateway, "/operator/state").await;
        assert!(!answer.text().contains(KEY), "{}", answer.text());
        let state = answer.json();
        assert_eq!((&state["object"], &state["status"]), (&json!("operator.state"), &json!("ready")), "{state}");
        assert_eq!(state["version"], env!("CARGO_PKG_VERSION"));
        let kind = if redis.is_some() { "redis" } else { "sqlite" };
        assert_eq!(state["store"], json!({ "kind": kind, "state": "ready" }));
        let key = json!({ "name": "default", "state": "usable" });
        let openai = json!({ "name": "openai", "breaker": "closed", "failures": 0, "keys": [key] });
        assert_eq!(state["providers"], json!([openai]));
        assert_eq!(state["settlements"]["waiting"], 0);
        assert_eq!((&state["requests"]["in_flight"]["now"], &state["requests"]["streams"]), (&json!(0), &json!(0)));
        for number in [
            &state["uptime_seconds"],
            &state["requests"]["queued"]["max"],
            &state["spool"]["disk"]["max_bytes"],
            &state["measuring"]["threads"],
            &state["speech"]["max_queued"],
        ] {
            assert!(number.is_u64(), "{state}");
        }
        // The first listener has none of it.
        for path in PATHS {
            assert_eq!(gateway.send(gateway.get(path)).await.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn another_hosts_name_is_misdirected_and_another_origin_gets_nothing() {
    let gateway = Setup::new().config("[console]\noperator_hosts = [\"ops.example.com\"]\n").start().await;
    let port = gateway.ops_address.port();
    for path in PATHS {
        for host in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example", "ops.example.com.evil"]
        {
            let refused = read_with(&gateway, path, &[("host", host)]).await;
            assert_eq!(code(&refused), (421, json!("misdirected_request")), "{path} {host}");
            assert_eq!(refused.header("access-control-allow-origin"), None);
        }
        for host in [&format!("localhost:{port}"), "127.0.0.1:80", "[::1]:80"] {
            assert_eq!(read_with(&gateway, path, &[("host", host)]).await.status, 200, "{path} {host}");
        }
        // What came through a proxy on this machine may come from anywhere: the token is asked for, and there is none.
        for host in ["ops.example.com", "OPS.example.com:443", "10.9.8.7"] {
            assert_eq!(read_with(&gateway, path, &[("host", host)]).await.status, 404, "{path} {host}");
        }
        for header in ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"] {
            assert_eq!(read_with(&gateway, path, &[(header, "10.9.8.7")]).await.status, 404, "{path} {header}");
        }
        for header in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let refused = read_with(&gateway, path, &[header]).await;
            assert_eq!(code(&refused), (403, json!("origin_not_allowed")), "{path} {header:?}");
        }
        let own = format!("http://127.0.0.1:{port}");
        let same = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
        assert_eq!(read_with(&gateway, path, &same).await.status, 200, "{path}");
    }
    // Probes and Prometheus are asked by any name.
    for path in ["/metrics", "/health/live", "/health/ready"] {
        let headers =
            [("host", "voxgate-ops.svc"), ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(read_with(&gateway, path, &headers).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn off_loopback_the_operators_token_is_all_that_opens() {
    let closed = Setup::new().env("VOXGATE_OPS_BIND", "0.0.0.0:0").start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "the-token-of-the-operator\n").unwrap();
    let setup = Setup::new().env("VOXGATE_OPS_BIND", "0.0.0.0:0");
    let open = setup.env("VOXGATE_CONSOLE__OPERATOR_TOKEN_FILE", file.to_str().unwrap()).start().await;
    let right = ("authorization", "Bearer the-token-of-the-operator");
    for path in PATHS {
        let unknown = code(&read(&closed, "/operator/nothing").await);
        assert_eq!(unknown, (404, json!("not_found")));
        for headers in [&[][..], &[right], &[("host", "evil.example")], &[("origin", "http://evil.example")]] {
            assert_eq!(code(&read_with(&closed, path, headers).await), unknown, "{path} {headers:?}");
        }
        for wrong in ["Bearer the-token-of-the-operato", "Bearer", "Basic the-token-of-the-operator", ""] {
            assert_eq!(code(&read_with(&open, path, &[("authorization", wrong)]).await), unknown, "{path} {wrong}");
        }
        assert_eq!(code(&read(&open, path).await), unknown, "{path}");
        assert_eq!(read_with(&open, path, &[right]).await.status, 200, "{path}");
        assert_eq!(code(&read_with(&open, path, &[right, ("host", "evil.example")]).await).0, 421, "{path}");
        assert_eq!(code(&read_with(&open, path, &[right, ("origin", "null")]).await).0, 403, "{path}");
    }
    assert_eq!(read(&closed, "/metrics").await.status, 200);
    let logged = open.log.event("a wrong token of the operator was refused").await;
    assert_eq!([&logged["level"], &logged["target"]], ["WARN", "voxgate::audit"], "{logged}");
    assert!(logged["peer"].is_string() && !open.log.text().contains("the-token-of"), "{logged}");
    // Another token holds from the next reload on.
    fs::write(&file, "another-token-of-the-operator").unwrap();
    let another = ("authorization", "Bearer another-token-of-the-operator");
    until("the new token opens", async || {
        let answer = read_with(&open, "/operator/state", &[another]).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    assert_eq!(read_with(&open, "/operator/state", &[right]).await.status, 404);
}

#[tokio::test]
async fn a_console_that_is_off_leaves_the_operators_page() {
    let gateway = Gateway::with(&[("VOXGATE_CONSOLE__ENABLED", "false")]).await;
    for path in PATHS {
        assert_eq!(read(&gateway, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_where_its_facts_are_and_tells_none_itself() {
    let gateway = Gateway::start().await;
    let closed = Setup::new().env("VOXGATE_OPS_BIND", "0.0.0.0:0").start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "the-token-of-the-operator").unwrap();
    let setup = Setup::new().env("VOXGATE_OPS_BIND", "0.0.0.0:0");
    let with_token = setup.env("VOXGATE_CONSOLE__OPERATOR_TOKEN_FILE", file.to_str().unwrap()).start().await;
    for path in PAGE {
        let page = read(&gateway, path).await;
        assert_eq!(page.status, 200, "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        // A browser cannot send the token when it opens a page, so whoever knows the address gets it.
        assert_eq!(read(&with_token, path).await.text(), page.text(), "{path}");
        assert_eq!(code(&read(&closed, path).await), (404, json!("not_found")), "{path}");
        assert_eq!(read_with(&gateway, path, &[("host", "evil.example")]).await.status, 421, "{path}");
        assert_eq!(read_with(&gateway, path, &[("origin", "http://evil.example")]).await.status, 403, "{path}");
    }
    for path in &PAGE[1..] {
        assert_eq!(gateway.send(gateway.get(path)).await.status, 404, "{path}");
    }
    assert!(!gateway.send(gateway.get("/")).await.text().contains("operator/page.js"));
}
