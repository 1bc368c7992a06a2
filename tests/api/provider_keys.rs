//! Several keys of one provider: one that is not accepted is taken out, one that is over its limit rests.

use serde_json::json;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{self, Answer, Gateway, Setup};
use crate::support::money::nano_usd;
use crate::support::provider::{OF_EVERY_KEY, Provider, Reply, key};

/// A gateway with these keys for OpenAI, each with its weight.
fn setup(keys: &[(&str, u32)]) -> Setup {
    let known: Vec<_> = keys.iter().map(|(name, _)| key(name)).collect();
    let provider = Provider::with_keys(&known.iter().map(String::as_str).collect::<Vec<_>>());
    let table = |(name, weight): &(&str, u32)| {
        format!("[[providers.openai.keys]]\nname = \"{name}\"\napi_key = \"{}\"\nweight = {weight}\n", key(name))
    };
    let toml: String = keys.iter().map(table).collect();
    Setup::with_provider(provider.into()).without("OPENAI_API_KEY").short_backoff().config(&toml)
}

async fn ask(gateway: &Gateway) -> Answer {
    gateway.transcribe(Form::new().file(&audio::wav(300))).await
}

/// How often each key was used.
fn used(gateway: &Gateway, name: &str) -> usize {
    gateway.provider.keys().iter().filter(|used| **used == key(name)).count()
}

/// Asks until this key has been used so many times in all.
async fn until_used(gateway: &Gateway, name: &str, times: usize) -> Answer {
    loop {
        let got = ask(gateway).await;
        assert_eq!(got.status, 200, "{}", got.text());
        if used(gateway, name) == times {
            return got;
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_taken_out_and_reported_and_nobody_notices() {
    let gateway = setup(&[("old", 1), ("new", 1)]).start().await;
    gateway.provider.answer_key(&key("old"), Some(Reply::error(401)));
    let got = until_used(&gateway, "old", 1).await;
    assert_eq!(got.served(), ("openai", 2));
    for _ in 0..20 {
        assert_eq!(ask(&gateway).await.served(), ("openai", 1));
    }
    assert_eq!(used(&gateway, "old"), 1);
    let reported = gateway.log.event("the provider does not accept a key; it is taken out").await;
    assert_eq!(
        (&reported["level"], &reported["provider"], &reported["key"]),
        (&json!("ERROR"), &json!("openai"), &json!("old"))
    );
    // The record says which key served; the key itself is nowhere, as the fixture sees to.
    assert_eq!(gateway.log.request(got.request_id()).await["key"], "new");
}

#[tokio::test]
async fn with_all_keys_out_nobody_is_asked() {
    let gateway = setup(&[("one", 1), ("two", 1)]).start().await;
    for name in ["one", "two"] {
        gateway.provider.answer_key(&key(name), Some(Reply::error(401)));
    }
    let alice = Account::of("alice", "default");
    let got = alice.transcribe(&gateway, 300).await;
    got.is_error(502, "provider_auth_failed", None);
    assert_eq!(got.served(), ("openai", 2));
    let got = alice.transcribe(&gateway, 300).await;
    got.is_error(502, "provider_auth_failed", None);
    let seconds: u64 = got.header("retry-after").unwrap().parse().unwrap();
    assert!((200..=300).contains(&seconds), "{seconds}");
    assert_eq!(got.header("x-voxgate-attempts"), None);
    assert_eq!(gateway.provider.tries(), 2);
    let usage = alice.settled(&gateway).await;
    assert_eq!((&usage["total"]["requests"], nano_usd(&usage["total"]["spent_usd"])), (&json!(2), 0));
}

#[tokio::test]
async fn a_rate_limited_key_pauses_and_other_keys_serve() {
    let gateway = setup(&[("busy", 1), ("free", 1)]).start().await;
    gateway.provider.answer_key(&key("busy"), Some(Reply::error(429).header("retry-after", "3600")));
    assert_eq!(until_used(&gateway, "busy", 1).await.served(), ("openai", 2));
    gateway.provider.recover();
    for _ in 0..20 {
        assert_eq!(ask(&gateway).await.served(), ("openai", 1));
    }
    assert_eq!(used(&gateway, "busy"), 1);
    let before = gateway.provider.tries();
    // When the others are over theirs too, the client hears when the first can be used, which is never in an hour.
    gateway.provider.answer_key(&key("free"), Some(Reply::error(429).header("retry-after", "40")));
    let got = ask(&gateway).await;
    got.is_error(429, "from_provider", None);
    assert_eq!((got.served(), got.header("retry-after")), (("openai", 1), Some("40")));
    let got = ask(&gateway).await;
    got.is_error(429, "provider_unavailable", None);
    let seconds: u64 = got.header("retry-after").unwrap().parse().unwrap();
    assert!((30..=40).contains(&seconds), "{seconds}");
    assert_eq!(gateway.provider.tries(), before + 1);
}

#[tokio::test]
async fn a_rest_ends() {
    let gateway = setup(&[("only", 1)]).start().await;
    gateway.provider.answer(Reply::error(429).header("retry-after-ms", "150").header("x-should-retry", "false"));
    ask(&gateway).await.is_error(429, "from_provider", None);
    let got = loop {
        let got = ask(&gateway).await;
        if got.status == 200 {
            break got;
        }
        got.is_error(429, "provider_unavailable", None);
    };
    assert_eq!((got.served(), gateway.provider.tries()), (("openai", 1), 2));
}

#[tokio::test]
async fn a_key_without_money_rests_longer_than_one_that_was_too_fast() {
    let gateway = setup(&[("poor", 1)]).start().await;
    let error = json!({ "error": { "message": "You exceeded your current quota.", "type": "insufficient_quota",
        "param": null, "code": "insufficient_quota" } });
    gateway.provider.answer_always(Reply::json(429, &error));
    let got = ask(&gateway).await;
    assert_eq!((got.status, got.served()), (429, ("openai", 1)));
    assert_eq!(got.text(), error.to_string());
    let got = ask(&gateway).await;
    got.is_error(429, "provider_unavailable", None);
    let seconds: u64 = got.header("retry-after").unwrap().parse().unwrap();
    assert!((200..=300).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_key_that_may_not_do_this_is_passed_over_for_this_request() {
    let gateway = setup(&[("limited", 1), ("full", 1)]).start().await;
    gateway.provider.answer_key(&key("limited"), Some(Reply::error(403)));
    for times in 1..=2 {
        assert_eq!(until_used(&gateway, "limited", times).await.served(), ("openai", 2));
    }
    gateway.provider.recover();
    assert_eq!(until_used(&gateway, "limited", 3).await.served(), ("openai", 1));
}

#[tokio::test]
async fn keys_are_used_by_their_weight() {
    let gateway = setup(&[("large", 3), ("small", 1)]).start().await;
    for _ in 0..200 {
        assert_eq!(ask(&gateway).await.status, 200);
    }
    let small = used(&gateway, "small");
    // A quarter of 200, give or take five times what chance gives.
    assert!((20..=80).contains(&small), "{small}");
    assert_eq!(used(&gateway, "large") + small, 200);
}

#[tokio::test]
async fn a_provider_that_fails_is_not_asked_at_once_with_another_key() {
    // Its trouble is its own, whatever it is asked with.
    let setup = setup(&[("one", 1), ("two", 1)]);
    let waits = [("VOXGATE_UPSTREAM__BACKOFF", "2m"), ("VOXGATE_UPSTREAM__MAX_BACKOFF", "2m")];
    let gateway = waits.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).start().await;
    gateway.provider.answer_always(Reply::error(503));
    let got = ask(&gateway).await;
    assert_eq!((got.status, got.served()), (503, ("openai", 1)));
}

#[tokio::test]
async fn no_key_is_in_what_a_provider_says_of_it() {
    let gateway = setup(&[("one", 1), ("two", 1)]).start().await;
    for name in ["one", "two"] {
        let error = json!({ "error": { "message": format!("Not with {}.", key(name)), "type": "t", "param": null, "code": null } });
        gateway.provider.answer_key(&key(name), Some(Reply::json(400, &error)));
    }
    for _ in 0..6 {
        let got = ask(&gateway).await;
        assert!(got.text().contains("Not with [redacted]") && !got.text().contains(OF_EVERY_KEY), "{}", got.text());
    }
}

#[tokio::test]
async fn check_tries_every_key_and_names_the_one_that_does_not_work() {
    let gateway = setup(&[("good", 1), ("bad", 1)]).start().await;
    gateway.provider.answer_key(&key("bad"), Some(Reply::error(401)));
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("voxgate.toml");
    let keys = ["good", "bad"]
        .map(|name| format!("[[providers.openai.keys]]\nname = \"{name}\"\napi_key = \"{}\"\n", key(name)));
    std::fs::write(&config, keys.concat()).unwrap();
    let variables = [("OPENAI_BASE_URL", &*gateway.provider.base_url()), ("VOXGATE_CONFIG", config.to_str().unwrap())];
    let output = gateway::run(&["check"], &variables, folder.path());
    let said = String::from_utf8(output.stdout).unwrap();
    let of = |name: &str| said.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {said}"));
    assert!(!of("key good").contains("FAILS") && of("key bad").contains("does not accept the key"), "{said}");
    assert!(!output.status.success() && !said.contains(OF_EVERY_KEY), "{said}");
}
