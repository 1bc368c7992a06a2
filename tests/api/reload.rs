//! Settings that change while the gateway runs are taken over whole or not at all, and nobody notices but by what they say.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Gate, Provider, Reply, answer, key};
use crate::support::{audio, token};

const TAKEN: &str = "the settings were read again and are in force";
const REFUSED: &str = "the settings were not taken over; the old ones stay in force";

/// A plan that allows this model alone.
fn only(model: &str) -> String {
    format!("[plans.default]\nmodels = [\"{model}\"]\n")
}

async fn statuses(gateway: &Gateway) -> [u16; 2] {
    let alice = Account::of("alice", "default");
    let mut statuses = [0; 2];
    for (status, model) in statuses.iter_mut().zip(["gpt-transcribe", "whisper-1"]) {
        let form = Form::new().field("model", model).file(&audio::wav(300));
        *status = alice.send(gateway, form).await.status;
    }
    statuses
}

#[tokio::test]
async fn a_changed_plan_holds_from_the_next_request_on() {
    let gateway = Setup::new().config(&only("gpt-transcribe")).start().await;
    assert_eq!(statuses(&gateway).await, [200, 403]);
    gateway.configure(&only("whisper-1"));
    gateway.signal("HUP");
    let taken = gateway.log.event(TAKEN).await;
    assert_eq!(taken["target"], "voxgate::audit");
    assert_eq!(statuses(&gateway).await, [403, 200]);
    // Without a signal it takes a moment longer.
    gateway.configure("");
    gateway.log.events(TAKEN, 2).await;
    assert_eq!(statuses(&gateway).await, [200, 200]);
}

#[tokio::test]
async fn settings_with_one_mistake_change_nothing_and_say_which() {
    let gateway = Setup::new().config(&only("gpt-transcribe")).start().await;
    gateway.configure(&format!("{}requests_per_minut = 3\n", only("whisper-1")));
    let refused = gateway.log.event(REFUSED).await;
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("plans.default.requests_per_minut: unknown key; did you mean"), "{reason}");
    assert_eq!(statuses(&gateway).await, [200, 403]);
    gateway.configure("what is this?");
    gateway.log.events(REFUSED, 2).await;
    assert_eq!(statuses(&gateway).await, [200, 403]);
    gateway.configure(&only("whisper-1"));
    gateway.log.event(TAKEN).await;
    assert_eq!(statuses(&gateway).await, [403, 200]);
    assert!(!gateway.log.text().contains("what is this"), "the file may hold secrets");
}

#[tokio::test]
async fn a_file_that_was_missing_is_noticed_when_it_comes() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secret");
    let gateway = Setup::new().start().await;
    let more = format!("[[identity.keys]]\nalgorithm = \"HS256\"\nsecret_file = {file:?}\n");
    gateway.configure(&more);
    let refused = gateway.log.event(REFUSED).await;
    assert!(refused["reason"].as_str().unwrap().contains("cannot be read"), "{refused}");
    std::fs::write(&file, "another-secret-that-is-long-enough-for-this-purpose\n").unwrap();
    gateway.log.event(TAKEN).await;
    let claims = token::claims_with(&json!({}));
    let token =
        token::signed(jsonwebtoken::Algorithm::HS256, "another-secret-that-is-long-enough-for-this-purpose", &claims);
    let request = gateway.request(Method::GET, "/v1/models").bearer_auth(token);
    assert_eq!(gateway.send(request).await.status, 200);
}

#[tokio::test]
async fn a_replaced_secret_refuses_old_tokens() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, token::SECRET).unwrap();
    let setup = Setup::new().without("VOXGATE_JWT_SECRET");
    let gateway = setup.env("VOXGATE_JWT_SECRET_FILE", file.to_str().unwrap()).start().await;
    let status =
        async |token: String| gateway.send(gateway.request(Method::GET, "/v1/models").bearer_auth(token)).await.status;
    assert_eq!(status(token::good()).await, 200);
    let new = "the-secret-that-comes-after-it-and-is-as-long-as-it-should-be";
    std::fs::write(&file, new).unwrap();
    gateway.log.event(TAKEN).await;
    assert_eq!(status(token::good()).await, 401);
    let claims = token::claims_with(&json!({}));
    assert_eq!(status(token::signed(jsonwebtoken::Algorithm::HS256, new, &claims)).await, 200);
}

#[tokio::test]
async fn a_request_in_flight_ends_with_the_provider_that_it_began_with() {
    let (old, new) = (Provider::with_keys(&[&key("old")]), Provider::with_keys(&[&key("new")]));
    let providers = |provider: &Provider, name: &str| {
        let provider = format!("[providers.p]\nbase_url = \"{}\"\napi_key = \"{}\"\n", provider.base_url(), key(name));
        format!("{provider}[models.m]\nprovider = \"p\"\nusd_per_minute = \"0.01\"\n")
    };
    let gateway = Setup::new().config(&providers(&old, "old")).start().await;
    let gate = Gate::closed();
    let (content_type, body) = answer("json");
    old.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let ask = || gateway.transcribe(Form::new().field("model", "m").file(&audio::wav(300)));
    let meanwhile = async {
        old.asked(1).await;
        gateway.configure(&providers(&new, "new"));
        gateway.signal("HUP");
        gateway.log.event(TAKEN).await;
        assert_eq!(ask().await.status, 200);
        gate.open();
    };
    let (first, ()) = tokio::join!(ask(), meanwhile);
    assert_eq!(first.status, 200);
    assert_eq!((old.keys(), new.keys()), (vec![key("old")], vec![key("new")]));
}

#[tokio::test]
async fn settings_that_change_under_load_fail_no_request() {
    let gateway = Setup::new().config("").start().await;
    let done = AtomicBool::new(false);
    let client = async |number: usize| {
        let (alice, mut requests) = (Account::of(&format!("alice-{number}"), "default"), 0_usize);
        while !done.load(Ordering::Relaxed) {
            let answer = alice.transcribe(&gateway, 300).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            requests += 1;
        }
        requests
    };
    let operator = async {
        for turn in 1..=10 {
            gateway.configure(&format!("[plans.default]\nmax_concurrent = {}\n[plans.p{turn}]\n", 100 + turn));
            gateway.signal("HUP");
            gateway.log.events(TAKEN, turn).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let (requests, ()) = tokio::join!(join_all((0..8).map(client)), operator);
    assert!(requests.iter().all(|requests| *requests > 0), "{requests:?}");
    let late = Account::of("late", "p10");
    assert_eq!(late.transcribe(&gateway, 300).await.status, 200);
}

#[tokio::test]
async fn a_reload_names_the_settings_that_need_a_restart() {
    let gateway = Setup::new().start().await;
    let changed = format!("[server]\nkeep_alive = \"7s\"\n[ledger]\nkeep_days = 40\n{}", only("whisper-1"));
    gateway.configure(&changed);
    gateway.signal("HUP");
    gateway.log.event(TAKEN).await;
    for tables in ["server", "store, redis, ledger"] {
        let said = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            (event["tables"] == tables && event["level"] == "WARN").then_some(())
        };
        gateway.log.find(tables, said).await;
    }
    assert_eq!(statuses(&gateway).await, [403, 200]);
}

#[tokio::test]
async fn what_is_known_of_a_provider_outlives_settings_that_do_not_concern_it() {
    let setup = Setup::new().single_attempt().env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "1");
    let gateway = setup.env("VOXGATE_UPSTREAM__BREAKER_PAUSE", "1h").start().await;
    let alice = Account::of("alice", "default");
    gateway.provider.answer(Reply::error(500));
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 500);
    gateway.configure("[plans.other]\n");
    gateway.signal("HUP");
    gateway.log.event(TAKEN).await;
    let answer = alice.transcribe(&gateway, 300).await;
    answer.is_error(503, "provider_unavailable", None);
    assert_eq!(gateway.provider.tries(), 1, "it is still left alone");
}

#[tokio::test]
async fn a_sandbox_stays_until_the_next_start() {
    let folder = TempDir::new().unwrap();
    let gateway = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL").start().await;
    let file = folder.path().join("key");
    std::fs::write(&file, "sk-a-key").unwrap();
    gateway.configure(&format!("[providers.openai]\napi_key_file = {file:?}\n"));
    gateway.signal("HUP");
    let refused = gateway.log.event(REFUSED).await;
    assert!(refused["reason"].as_str().unwrap().contains("sandbox"), "{refused}");
    let answer = Account::of("alice", "default").transcribe(&gateway, 300).await;
    assert_eq!(answer.header("x-voxgate-provider"), Some("sandbox"));
}

#[tokio::test]
async fn settings_from_a_pipe_are_not_taken_for_empty_when_it_is() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("settings");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, only("gpt-transcribe")).unwrap())
    };
    let gateway = Setup::new().arguments(&["--config", pipe.to_str().unwrap()]).start().await;
    writer.join().unwrap();
    gateway.signal("HUP");
    let refused = gateway.log.event(REFUSED).await;
    assert!(refused["reason"].as_str().unwrap().contains("can be read only once"), "{refused}");
    assert_eq!(statuses(&gateway).await, [200, 403]);
}

#[tokio::test]
async fn who_can_connect_is_decided_by_a_start_alone() {
    let gateway = Setup::new().without("VOXGATE_BIND").config("[server]\nbind = \"127.0.0.1:0\"\n").start().await;
    gateway.configure(&format!("[server]\nbind = \"0.0.0.0:0\"\n{}", only("whisper-1")));
    gateway.signal("HUP");
    let refused = gateway.log.event(REFUSED).await;
    assert!(refused["reason"].as_str().unwrap().contains("server.bind"), "{refused}");
    assert_eq!(statuses(&gateway).await, [200, 200]);
}
