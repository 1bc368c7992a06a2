//! What a recording in pieces costs, to the billionth of a dollar.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::money::nano_usd;
use crate::support::provider::{Gate, Reply};
use crate::support::talk::{Talk, piece_ms};
use crate::support::usage_command::json_usage;

/// Billionths of a dollar for a second of `gpt-4o-transcribe`, and for its tokens.
const SECOND: u64 = 100_000;
const INPUT_TOKEN: u64 = 2_500;
const OUTPUT_TOKEN: u64 = 10_000;

const SHORT: &str = "[models.gpt-4o-transcribe]\nmax_seconds = 20\n";

fn talk() -> Talk {
    Talk::default().says(1).pause(5_000).says(3).pause(5_000).says(2)
}

fn form() -> Form {
    Form::new().fields(&[("model", "gpt-4o-transcribe")]).file(&talk().wav())
}

async fn gateway() -> Gateway {
    Setup::new().config(SHORT).short_backoff().start().await
}

fn tokens(count: u64) -> Value {
    json!({ "type": "tokens", "input_tokens": count, "output_tokens": 2 * count, "total_tokens": 3 * count })
}

async fn cost(account: &Account, gateway: &Gateway) -> u64 {
    nano_usd(&account.settled(gateway).await["total"]["spent_usd"])
}

#[tokio::test]
async fn pieces_cost_the_sum_of_what_the_provider_reports_in_one_record() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let count = AtomicUsize::new(0);
    gateway.provider.answer_by(move |_| {
        let number = u64::try_from(count.fetch_add(1, Ordering::Relaxed)).unwrap();
        Reply::json(200, &json!({ "text": "x", "usage": tokens(10 + number) }))
    });
    let answer = alice.send(&gateway, form()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(cost(&alice, &gateway).await, 33 * INPUT_TOKEN + 66 * OUTPUT_TOKEN);
    let records = json_usage(&gateway, &["--records"])["records"].as_array().unwrap().clone();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((&records[0]["pieces"], &records[0]["usage"]["input_tokens"]), (&json!(3), &json!(33)));
    assert_eq!(records[0]["audio_ms"], talk().ms());
}

#[tokio::test]
async fn a_piece_without_a_report_costs_its_length_and_silence_costs_nothing() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "x" })));
    assert_eq!(alice.send(&gateway, form()).await.status, 200);
    let sent: u64 = gateway.provider.all().iter().map(piece_ms).sum();
    let cost = cost(&alice, &gateway).await;
    // Each piece is rounded up to a millisecond.
    assert!(cost.abs_diff(sent * SECOND / 1000) <= 3 * SECOND / 1000, "{cost} for {sent} ms");
    assert!(cost < talk().ms() * SECOND / 1000 - 5 * SECOND, "{cost}");
}

#[tokio::test]
async fn a_recording_without_speech_costs_nothing() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let silent = Form::new().fields(&[("model", "gpt-4o-transcribe")]).file(&Talk::default().pause(30_000).wav());
    assert_eq!(alice.send(&gateway, silent).await.status, 200);
    assert_eq!(cost(&alice, &gateway).await, 0);
}

#[tokio::test]
async fn what_was_heard_is_charged_and_what_was_not_is_not() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let all_are_there = Gate::closed();
    let held = all_are_there.clone();
    gateway.provider.answer_by(move |seen| {
        if piece_ms(seen) > 9_000 {
            Reply::json(400, &json!({ "error": { "message": "no", "type": "invalid_request_error" } })).held_by(&held)
        } else {
            Reply::json(200, &json!({ "text": "x", "usage": tokens(10) }))
        }
    });
    let (answer, ()) = tokio::join!(alice.send(&gateway, form()), async {
        gateway.provider.asked(3).await;
        all_are_there.open();
    });
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(cost(&alice, &gateway).await, 20 * INPUT_TOKEN + 40 * OUTPUT_TOKEN);
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_the_pieces_that_a_provider_had() {
    let gateway = gateway().await;
    let alice = Account::of("alice", "default");
    let never = Gate::closed();
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "x" })).held_by(&never));
    let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(alice.token());
    let client = tokio::spawn(form().on(request).send());
    gateway.provider.asked(3).await;
    client.abort();
    let sent: u64 = gateway.provider.all().iter().map(piece_ms).sum();
    let cost = cost(&alice, &gateway).await;
    assert!(cost.abs_diff(sent * SECOND / 1000) <= 3 * SECOND / 1000, "{cost} for {sent} ms");
}

#[tokio::test]
async fn the_whole_recording_is_charged_before_any_piece_is_sent() {
    let gateway = Setup::new().config(&format!("{SHORT}[plans.default]\nmonthly_usd = \"0.006\"\n")).start().await;
    let alice = Account::of("alice", "default");
    let never = Gate::closed();
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "x" })).held_by(&never));
    let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(alice.token());
    let client = tokio::spawn(form().on(request).send());
    gateway.provider.asked(1).await;
    let usage = alice.usage(&gateway).await;
    let charged = nano_usd(&usage["total"]["spent_usd"]);
    assert!(charged >= talk().ms() * SECOND / 1000 + SECOND, "{usage}");
    client.abort();
    let poor = Setup::new().config(&format!("{SHORT}[plans.default]\nmonthly_usd = \"0.001\"\n")).start().await;
    let answer = alice.send(&poor, form()).await;
    answer.is_error(429, "insufficient_quota", None);
    assert_eq!(poor.provider.requests(), 0);
}
