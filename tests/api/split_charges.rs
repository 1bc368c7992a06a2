//! What a recording in pieces costs, to the billionth of a dollar.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::money::nano_usd;
use crate::support::provider::{Gate, Reply, Seen};
use crate::support::stores::with_each_store;
use crate::support::talk::{Talk, piece_ms, samples};
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

/// The settings of a gateway that knows no limit of the model, with a plan that has enough for a recording of 70 s whole
/// and not for its pieces.
const UNLIMITED: &str = "[models.gpt-4o-transcribe]\nmax_seconds = 1000\n[plans.tight]\nmonthly_usd = \"0.0072\"\n";
const HINT: &str = "some names";

/// A recording of about 70 s, of which a provider knows better than the settings that it is too long.
fn refused_whole() -> (Talk, Form) {
    let talk = Talk::default().says(10).pause(4_000).says(10);
    let fields = [("model", "gpt-4o-transcribe"), ("prompt", HINT)];
    let form = Form::new().fields(&fields).file(&talk.wav());
    (talk, form)
}

/// Refuses what is not a piece.
fn takes_pieces(seen: &Seen) -> Reply {
    if seen.file().content_type.as_deref() == Some("audio/flac") {
        return Reply::json(200, &json!({ "text": "a part" }));
    }
    Reply::json(413, &json!({ "error": { "message": "too large", "type": "invalid_request_error" } }))
}

#[tokio::test]
async fn a_recording_that_is_split_after_its_refusal_is_charged_for_its_pieces_first() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(UNLIMITED).short_backoff()).await {
        let (alice, gate) = (Account::of("alice", "default"), Gate::closed());
        let held = gate.clone();
        gateway.provider.answer_by(move |seen| match takes_pieces(seen) {
            piece if seen.file().content_type.as_deref() == Some("audio/flac") => piece.held_by(&held),
            refusal => refusal,
        });
        let (talk, form) = refused_whole();
        let hint = u64::try_from(HINT.len()).unwrap() * INPUT_TOKEN;
        let (answer, ()) = tokio::join!(alice.send(&gateway, form), async {
            gateway.provider.asked(3).await;
            // There may be five pieces: three, and one for each thirty seconds.
            let estimate = (talk.ms() + 5 * 1000) * SECOND / 1000 + 5 * hint;
            assert_eq!(nano_usd(&alice.usage(&gateway).await["total"]["spent_usd"]), estimate);
            (0..2).for_each(|_| gate.open());
        });
        assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("a part a part")), "{}", answer.text());
        let pieces = gateway.provider.all().into_iter().skip(1);
        let sent: u64 = pieces.map(|seen| samples(&seen).div_ceil(16) * SECOND / 1000 + hint).sum();
        let usage = alice.settled(&gateway).await;
        assert_eq!(
            (nano_usd(&usage["total"]["spent_usd"]), &usage["total"]["requests"]),
            (sent, &json!(1)),
            "the refusal costs nothing, and there is one record"
        );
    }
}

#[tokio::test]
async fn nothing_more_is_sent_if_the_limits_do_not_allow_the_pieces() {
    for (gateway, _redis) in with_each_store(|| Setup::new().config(UNLIMITED).short_backoff()).await {
        let alice = Account::of("alice", "tight");
        gateway.provider.answer_by(takes_pieces);
        let (_, form) = refused_whole();
        let answer = alice.send(&gateway, form).await;
        answer.is_error(429, "insufficient_quota", None);
        assert!(answer.text().contains("only in pieces, and none of them was sent"), "{}", answer.text());
        let record = gateway.log.request(answer.header("x-request-id").unwrap()).await;
        assert_eq!(record["provider_status"], 413, "{record}");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(gateway.provider.requests(), 1);
        assert_eq!(cost(&alice, &gateway).await, 0);
    }
}

/// Two recordings of 30 s fit on this disk, and room for the pieces of one of them.
const SMALL_DISK: &str = "[intake]\nspool_memory_bytes = 65536\nmax_spool_memory_bytes = 65536\n\
    max_audio_bytes = 1500000\nmax_spool_disk_bytes = 3600000\n";

#[tokio::test]
async fn a_recording_without_room_for_its_pieces_is_refused_before_it_is_charged() {
    let gateway = Setup::new().config(&format!("{SMALL_DISK}{SHORT}")).start().await;
    let (alice, bob, gate) = (Account::of("alice", "default"), Account::of("bob", "default"), Gate::closed());
    let held = gate.clone();
    gateway.provider.answer_by(move |_| Reply::json(200, &json!({ "text": "x" })).held_by(&held));
    let (first, ()) = tokio::join!(alice.send(&gateway, form()), async {
        gateway.provider.asked(3).await;
        let refused = bob.send(&gateway, form()).await;
        refused.is_error(503, "overloaded", None);
        assert_eq!(cost(&bob, &gateway).await, 0);
        // The second caller sends it again.
        (0..6).for_each(|_| gate.open());
    });
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(gateway.provider.requests(), 3, "nothing of the second was sent");
    let then = bob.send(&gateway, form()).await;
    assert_eq!(then.status, 200, "{}", then.text());
}
