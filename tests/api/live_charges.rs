//! What a live session costs, and what limits do to it.

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::{Live, QUARTER, ask, numbered, of_type, parse, pcm16, whole_text};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply};
use crate::support::revocation::revoke;
use crate::support::sessions;
use crate::support::stores::with_each_store;
use crate::support::talk::{Talk, piece_ms};
use crate::support::token;
use crate::support::usage_command::json_usage;

/// A sentence and a pause that ends its turn.
fn sentence() -> Talk {
    Talk::default().says(1).pause(700)
}

async fn spent(account: &Account, gateway: &Gateway) -> u64 {
    nano_usd(&account.usage(gateway).await["total"]["spent_usd"])
}

async fn settled(account: &Account, gateway: &Gateway) -> u64 {
    nano_usd(&account.settled(gateway).await["total"]["spent_usd"])
}

fn duration(seconds: u64) -> Value {
    json!({ "text": "x", "usage": { "type": "duration", "seconds": seconds } })
}

#[tokio::test]
async fn a_session_costs_what_the_provider_reports_for_its_turns_in_one_record() {
    for (gateway, _server) in with_each_store(Setup::new).await {
        let alice = Account::of("alice", "default");
        gateway.provider.answer_by(|_| Reply::json(200, &duration(3)));
        let live = Live::open_for(&gateway, &alice, &pcm16()).await;
        for _ in 0..4 {
            live.say_all(sentence().pcm()).await;
        }
        let events = live.finish().await;
        assert_eq!(whole_text(&events), "x x x x");
        assert_eq!(of_type(&events, "transcript.text.done")[0]["usage"], json!({ "type": "duration", "seconds": 12 }));
        assert_eq!(settled(&alice, &gateway).await, 12 * GPT_TRANSCRIBE);
        let usage = alice.usage(&gateway).await;
        assert_eq!((&usage["total"]["requests"], &usage["total"]["audio_ms"]), (&json!(1), &json!(12_000)));
        let records = json_usage(&gateway, &["--records"])["records"].as_array().unwrap().clone();
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!((&records[0]["pieces"], &records[0]["ending"]), (&json!(4), &json!("answered")));
    }
}

#[tokio::test]
async fn silence_costs_nothing() {
    let gateway = Gateway::start().await;
    let alice = Account::of("alice", "default");
    let live = Live::open_for(&gateway, &alice, &pcm16()).await;
    live.say_all(Talk::default().pause(40_000).pcm()).await;
    assert_eq!(whole_text(&live.finish().await), "");
    assert_eq!(settled(&alice, &gateway).await, 0);
}

#[tokio::test]
async fn an_open_session_has_charged_no_more_than_a_slice_ahead() {
    let gateway = Setup::new().config("[live]\nslice_seconds = 10\n").start().await;
    let alice = Account::of("alice", "default");
    gateway.provider.answer_by(|seen| Reply::json(200, &duration(piece_ms(seen) / 1000)));
    let live = Live::open_for(&gateway, &alice, &pcm16()).await;
    // A slice, and the margin of a turn.
    let ahead = 11 * GPT_TRANSCRIBE;
    assert_eq!(spent(&alice, &gateway).await, ahead);
    let mut reported = 0;
    for turn in 1..=6 {
        live.say_all(sentence().pcm()).await;
        gateway.provider.asked(turn).await;
        reported += piece_ms(&gateway.provider.last()) / 1000;
        let charged = spent(&alice, &gateway).await;
        assert!(charged <= reported * GPT_TRANSCRIBE + ahead + 5 * GPT_TRANSCRIBE, "{charged} after {reported} s");
    }
    live.finish().await;
    assert_eq!(settled(&alice, &gateway).await, reported * GPT_TRANSCRIBE);
}

#[tokio::test]
async fn a_used_up_budget_ends_the_session_and_keeps_what_was_heard() {
    // Two turns of three seconds and a little, with a second of margin while they are at the provider.
    let plan = "[plans.small]\nmonthly_usd = \"0.0009\"\n[live]\nslice_seconds = 5\n";
    for (gateway, _server) in with_each_store(|| Setup::new().config(plan)).await {
        let alice = Account::of("alice", "small");
        gateway.provider.answer_by(|_| Reply::json(200, &duration(3)));
        let live = Live::open_for(&gateway, &alice, &pcm16()).await;
        let mut seq = 0;
        let ended = 'ended: loop {
            for piece in sentence().pcm().chunks(QUARTER) {
                let answer = live.send(seq, piece).await;
                if answer.status != 202 {
                    break 'ended answer;
                }
                seq += 1;
            }
        };
        ended.is_error(409, "live_session_ended", None);
        let events = live.all_events().await;
        let last = &events.last().unwrap().data["error"];
        assert_eq!((&last["code"], last.get("start")), (&json!("insufficient_quota"), None), "{events:?}");
        assert!(of_type(&events, "transcript.text.done").is_empty());
        let turns = of_type(&events, "transcript.text.delta").len();
        assert!(turns >= 2, "{events:?}");
        assert_eq!(live.show().await.json()["status"], "failed");
        let cost = settled(&alice, &gateway).await;
        assert_eq!(cost, u64::try_from(turns).unwrap() * 3 * GPT_TRANSCRIBE);
        assert!(cost <= 900_000, "{cost}");
        // What is left of the budget admits no other turn.
        assert!(cost + 5 * GPT_TRANSCRIBE > 900_000, "{cost}");
    }
}

#[tokio::test]
async fn the_caps_of_a_token_end_its_session() {
    let gateway = Setup::new().config("[live]\nslice_seconds = 5\n").start().await;
    let shop = token::with(&json!({ "sub": "shop", "scope": "sessions transcribe" }));
    let (capped, _) = sessions::open(&gateway, &shop, &json!({ "subject": "carol", "max_audio_seconds": 8 })).await;
    let carol = Account::with(&capped);
    gateway.provider.answer_by(|_| Reply::json(200, &duration(3)));
    let live = Live::open_for(&gateway, &carol, &pcm16()).await;
    for (seq, piece) in (0..).zip(sentence().pcm().repeat(6).chunks(QUARTER)) {
        if live.send(seq, piece).await.status != 202 {
            break;
        }
    }
    let events = live.all_events().await;
    assert_eq!(events.last().unwrap().data["error"]["code"], "insufficient_quota", "{events:?}");
    assert!(!of_type(&events, "transcript.text.delta").is_empty(), "{events:?}");
}

#[tokio::test]
async fn a_used_up_rate_of_audio_slows_a_session_and_loses_nothing() {
    let plan = "[plans.slow]\naudio_seconds_per_minute = 240\naudio_burst_seconds = 6\n";
    for (gateway, _server) in with_each_store(|| Setup::new().config(plan)).await {
        let alice = Account::of("alice", "slow");
        gateway.provider.answer_by(numbered());
        let live = Live::open_for(&gateway, &alice, &pcm16()).await;
        let mut refused = 0;
        for (seq, piece) in (0..).zip(sentence().pcm().repeat(5).chunks(QUARTER)) {
            let mut answer = live.send(seq, piece).await;
            while answer.status != 202 {
                answer.is_error(429, "rate_limit_exceeded", None);
                refused += 1;
                answer.wait_as_told().await;
                answer = live.send(seq, piece).await;
            }
        }
        assert!(refused > 0, "the rate was never used up");
        assert_eq!(whole_text(&live.finish().await), "Turn 1. Turn 2. Turn 3. Turn 4. Turn 5.");
    }
}

#[tokio::test]
async fn a_revoked_token_ends_its_session_at_the_next_revision() {
    for (gateway, _server) in with_each_store(|| Setup::new().config("[live]\nslice_seconds = 5\n")).await {
        let opener = Account::with(&token::with(&json!({ "jti": "revoked" })));
        gateway.provider.answer_by(numbered());
        let live = Live::open_for(&gateway, &opener, &pcm16()).await;
        let other = live.with(&Account::with(&token::with(&json!({ "jti": "valid" }))));
        other.say_all(sentence().pcm()).await;
        gateway.provider.asked(1).await;
        revoke(&gateway, &["--sub", "alice", "--jti", "revoked"]);
        let next = other.show().await.json()["next_seq"].as_u64().unwrap();
        for (seq, piece) in (next..).zip(sentence().pcm().repeat(8).chunks(QUARTER)) {
            if other.send(seq, piece).await.status != 202 {
                break;
            }
        }
        let events = other.all_events().await;
        assert_eq!(events.last().unwrap().data["error"]["code"], "invalid_token", "{events:?}");
        assert!(!of_type(&events, "transcript.text.delta").is_empty(), "{events:?}");
    }
}

#[tokio::test]
async fn a_session_is_one_request_and_one_in_flight() {
    let plan = "[plans.one]\nrequests_per_minute = 3\nburst = 3\nmax_concurrent = 1\n";
    let gateway = Setup::new().config(plan).start().await;
    gateway.provider.answer_by(numbered());
    let alice = Account::of("alice", "one");
    let live = Live::open_for(&gateway, &alice, &pcm16()).await;
    live.say_all(sentence().pcm()).await;
    for _ in 0..20 {
        assert_eq!(live.show().await.status, 200);
    }
    ask(&gateway, &alice, &pcm16()).await.is_error(429, "concurrency_limit_exceeded", None);
    alice.transcribe(&gateway, 300).await.is_error(429, "concurrency_limit_exceeded", None);
    live.finish().await;
    until("its place is free", async || {
        let answer = alice.transcribe(&gateway, 300).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text().to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_loses_no_more_than_a_slice() {
    for (gateway, _server) in with_each_store(|| Setup::new().config("[live]\nslice_seconds = 10\n")).await {
        let alice = Account::of("alice", "default");
        gateway.provider.answer_by(|_| Reply::json(200, &duration(3)));
        let live = Live::open_for(&gateway, &alice, &pcm16()).await;
        for turn in 1..=5 {
            live.say_all(sentence().pcm()).await;
            gateway.provider.asked(turn).await;
        }
        let before = spent(&alice, &gateway).await;
        let gateway = gateway.killed_and_started_again().await;
        let after = spent(&alice, &gateway).await;
        assert_eq!(after, before);
        assert!(after <= (5 * 3 + 11 + 5) * GPT_TRANSCRIBE, "{after}");
        let gone = gateway.send(gateway.get("/v1/live/live_0198f0c26b1e7d519f0a3c5d6e7f8a9b")).await;
        gone.is_error(404, "live_session_not_found", None);
    }
}

#[tokio::test]
async fn a_deleted_session_costs_the_turns_that_a_provider_had() {
    let gateway = Gateway::start().await;
    let alice = Account::of("alice", "default");
    let never = Gate::closed();
    gateway.provider.answer(Reply::json(200, &duration(3)));
    gateway.provider.answer_always(Reply::json(200, &duration(3)).held_by(&never));
    let live = Live::open_for(&gateway, &alice, &pcm16()).await;
    live.say_all(sentence().pcm()).await;
    gateway.provider.asked(1).await;
    live.say_all(sentence().pcm()).await;
    gateway.provider.asked(2).await;
    let held = piece_ms(&gateway.provider.last());
    assert_eq!(live.delete().await.status, 204);
    let cost = settled(&alice, &gateway).await;
    let expected = 3 * GPT_TRANSCRIBE + held * GPT_TRANSCRIBE / 1000;
    assert!(cost.abs_diff(expected) <= GPT_TRANSCRIBE / 500, "{cost} is not {expected}");
}

#[tokio::test]
async fn a_session_goes_on_without_its_store_if_the_settings_say_so() {
    let server = crate::support::redis_server::Server::start();
    let toml = "on_store_failure = \"local\"\n[live]\nslice_seconds = 5\n";
    let gateway = Setup::new().config(toml).env("REDIS_URL", &server.url()).start().await;
    gateway.provider.answer_by(numbered());
    let live = Live::open(&gateway).await;
    live.say_all(sentence().pcm()).await;
    drop(server);
    for _ in 0..4 {
        live.say_all(sentence().pcm()).await;
    }
    let events = live.finish().await;
    assert_eq!(of_type(&events, "transcript.text.delta").len(), 5, "{events:?}");
}

#[tokio::test]
async fn a_request_of_the_session_can_be_looked_up() {
    let gateway = Gateway::start().await;
    let alice = Account::of("alice", "default");
    gateway.provider.answer_by(|_| Reply::json(200, &duration(3)));
    let answer = ask(&gateway, &alice, &pcm16()).await;
    let path = format!("/v1/usage/requests/{}", answer.request_id());
    let lookup =
        async || gateway.send(gateway.request(reqwest::Method::GET, &path).bearer_auth(alice.token())).await.json();
    assert_eq!(lookup().await["status"], "open");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    for (seq, piece) in sentence().pcm().chunks(QUARTER).enumerate() {
        gateway.send(gateway.post(&format!("/v1/live/{id}/audio?seq={seq}")).body(piece.to_vec())).await;
    }
    gateway.send(gateway.post(&format!("/v1/live/{id}/end"))).await;
    let events = gateway.send(gateway.get(&format!("/v1/live/{id}/events"))).await;
    assert_eq!(whole_text(&parse(events.text())), "x");
    let record = until("the record is settled", async || {
        let record = lookup().await;
        if record["status"] == "settled" { Ok(record) } else { Err(record) }
    })
    .await;
    assert_eq!(
        (&record["pieces"], &record["attempts"], &record["cost"]["audio_ms"]),
        (&json!(1), &json!(1), &json!(3000))
    );
}
