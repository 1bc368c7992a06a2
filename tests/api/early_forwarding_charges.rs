//! What a recording costs that went out while it was arriving: what it turns out to be, not what it claimed.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::provider::{End, Gate, Reply, answer};
use crate::support::scrape::Scrape;
use crate::support::sender::{Sender, send_half};
use crate::support::stores::with_each_store;

const PLANS: &str = r#"
[plans.wav]
monthly_usd = "0.00225"     # three recordings of 10 s at 0.0045 a minute
[plans.flac]
monthly_usd = "0.002304"    # three of 10.24 s
[plans.mp3]
monthly_usd = "0.0054"      # three of 24 s
[plans.poor]
monthly_usd = "0.0015"      # 20 s
[plans.second]
monthly_usd = "0.0001"      # more than a second
[plans.enough]
monthly_usd = "0.0035"      # 10 s and 1000 bytes of prompt of gpt-4o-transcribe
[plans.too-little]
monthly_usd = "0.003499"
[plans.talk-wav]
audio_seconds_per_minute = 1
audio_burst_seconds = 20
[plans.talk-flac]
audio_seconds_per_minute = 1
audio_burst_seconds = 21
[plans.talk-mp3]
audio_seconds_per_minute = 1
audio_burst_seconds = 48
[plans.two]
requests_per_minute = 2
burst = 2
max_concurrent = 1
[models.brief]
provider = "openai"
max_seconds = 5
min_ms = 200
usd_per_minute = "0.0045"
[models.long]
provider = "openai"
usd_per_minute = "0.0045"
fallbacks = ["brief"]
"#;

fn setup() -> Setup {
    Setup::new().short_backoff().config(PLANS)
}

fn spent(usage: &Value) -> u64 {
    nano_usd(&usage["total"]["spent_usd"])
}

/// How many requests a provider has been sent to their end.
fn whole(gateway: &Gateway) -> usize {
    gateway.provider.uploads().iter().filter(|upload| upload.end == End::Whole).count()
}

#[tokio::test]
async fn a_budget_for_three_lets_three_in_at_once_and_not_a_fourth() {
    for (gateway, _redis) in with_each_store(setup).await {
        for (kind, audio, ms) in audio::of_known_length() {
            let (alice, gate, (content_type, body)) = (Account::of(kind, kind), Gate::closed(), answer("json"));
            let mut senders = Vec::new();
            for _ in 0..3 {
                gateway.provider.answer(Reply::whole(200, content_type, body.clone()).held_by(&gate));
                let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
                sender.up_to(audio.len() / 2).await;
                senders.push(sender);
            }
            let before = gateway.provider.requests();
            for sender in &mut senders {
                sender.up_to(usize::MAX).await;
            }
            gateway.provider.asked(before + 3).await;
            alice.transcribe(&gateway, 100).await.is_error(429, "insufficient_quota", None);
            (0..3).for_each(|_| gate.open());
            for got in join_all(senders.iter_mut().map(Sender::answer)).await {
                got.is_served(1);
            }
            let usage = alice.settled(&gateway).await;
            assert_eq!(
                (spent(&usage), &usage["total"]["requests"]),
                (3 * ms * GPT_TRANSCRIBE / 1000, &json!(3)),
                "{kind}"
            );
            assert_eq!(usage["left"]["monthly_usd"], "0.00", "{kind}");
        }
    }
}

#[tokio::test]
async fn a_rate_of_audio_counts_what_is_measured() {
    for (gateway, _redis) in with_each_store(setup).await {
        for (kind, audio, _) in audio::of_known_length() {
            let alice = Account::of(kind, &format!("talk-{kind}"));
            for _ in 0..2 {
                let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
                sender.up_to(audio.len() / 2).await;
                sender.finish().await.is_served(1);
            }
            let got = alice.send(&gateway, Form::model_then_file(&audio)).await;
            got.is_error(429, "rate_limit_exceeded", None);
        }
    }
}

#[tokio::test]
async fn a_recording_that_is_longer_than_it_says_is_charged_for_all_of_it() {
    for (gateway, _redis) in with_each_store(setup).await {
        let audio = audio::flac(40, 16_000);
        let alice = Account::of("alice", "two");
        let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
        send_half(&gateway, &mut sender, &audio, 0).await;
        let got = sender.finish().await;
        got.is_served(1);
        assert_eq!(got.header("x-ratelimit-remaining-requests"), "1");
        gateway.provider.given_up(0).await;
        assert_eq!((whole(&gateway), gateway.provider.last().file().body == audio), (1, true));
        // That it was let in twice is to be seen by the operator; it is counted once.
        let usage = alice.settled(&gateway).await;
        assert_eq!((spent(&usage), &usage["total"]["audio_ms"]), (10_240 * GPT_TRANSCRIBE / 1000, &json!(10_240)));
        let record = gateway.log.request(got.header("x-request-id")).await;
        assert_eq!((&record["attempts"], &record["audio_ms"]), (&json!(1), &json!(10_240)), "{record}");
        let scrape = Scrape::of(&gateway).await;
        assert_eq!(scrape.table("voxgate_settlements_total", ["ending"]), [(["answered".to_owned()], 1)].into());
    }
}

#[tokio::test]
async fn a_budget_that_its_length_exceeds_refuses_it_whatever_it_says() {
    for (gateway, _redis) in with_each_store(setup).await {
        let audio = audio::flac(40, 16_000);
        let alice = Account::of("alice", "second");
        let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
        send_half(&gateway, &mut sender, &audio, 0).await;
        let got = sender.finish().await;
        got.is_error(429, "insufficient_quota");
        // What is left is what would be left without it.
        assert!(got.body.contains("0.0001 is left") && got.body.contains("cost 0.000768"), "{}", got.body);
        let given_up = gateway.provider.given_up(0).await;
        assert!(given_up.received < given_up.announced);
        assert_eq!((whole(&gateway), gateway.provider.uploads().len()), (0, 1));
        assert_eq!(spent(&alice.settled(&gateway).await), 0);
        // And none of the budget is lost.
        assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    }
}

#[tokio::test]
async fn a_caller_over_budget_is_refused_and_no_provider_hears_of_it() {
    for (gateway, _redis) in with_each_store(setup).await {
        for (kind, audio, ms) in audio::of_known_length() {
            let alice = Account::of(kind, "second");
            let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio)).await;
            sender.up_to(audio.len() / 2).await;
            let got = sender.finish().await;
            got.is_error(429, "insufficient_quota");
            // By its measured length.
            let cost = format!("cost 0.{:09}", ms * GPT_TRANSCRIBE / 1000);
            assert!(got.body.contains(cost.trim_end_matches('0')), "{kind}: {}", got.body);
            assert_eq!(
                alice.settled(&gateway).await["total"],
                json!({ "requests": 0, "audio_ms": 0, "spent_usd": "0.00" })
            );
        }
        assert_eq!(gateway.provider.uploads(), []);
    }
}

#[tokio::test]
async fn a_claim_that_is_too_high_keeps_nobody_out() {
    // Ten seconds that say that they are a hundred, and one second before much that is no sound.
    let overstated = audio::flac(40, audio::samples(40) * 10);
    let mut tagged = audio::wav(1000);
    tagged.extend_from_slice(b"LIST");
    tagged.extend_from_slice(&600_000_u32.to_le_bytes());
    tagged.resize(tagged.len() + 600_000, b'x');
    for (gateway, _redis) in with_each_store(setup).await {
        for (audio, ms) in [(&overstated, 10_240), (&tagged, 1000)] {
            let alice = Account::of(&format!("alice-{ms}"), "poor");
            let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(audio)).await;
            sender.up_to(audio.len() / 2).await;
            sender.finish().await.is_served(1);
            let usage = alice.settled(&gateway).await;
            let total = (&usage["total"]["requests"], &usage["total"]["audio_ms"], spent(&usage));
            assert_eq!(total, (&json!(1), &json!(ms), ms * GPT_TRANSCRIBE / 1000));
        }
        assert_eq!(gateway.provider.requests(), 2);
    }
}

#[tokio::test]
async fn what_only_nearly_says_how_long_it_is_is_charged_as_measured() {
    for (gateway, _redis) in with_each_store(setup).await {
        let [.., (_, audio, ms)] = audio::of_known_length();
        let last = gateway.provider.uploads().len();
        for (at, fields) in [&[][..], &[("language", "en")]].into_iter().enumerate() {
            let alice = Account::of(&format!("alice-{at}"), "default");
            let mut sender = Sender::form(&gateway, &alice, Form::model_then_file(&audio).fields(fields)).await;
            send_half(&gateway, &mut sender, &audio, last + at).await;
            // More than it is, for a while.
            let usage = alice.usage_when(&gateway, |usage| usage["open"]["requests"] == 1).await;
            assert!(usage["open"]["audio_ms"].as_u64().unwrap() > ms, "{usage}");
            sender.finish().await.is_served(1);
            let usage = alice.settled(&gateway).await;
            assert_eq!((spent(&usage), &usage["total"]["audio_ms"]), (ms * GPT_TRANSCRIBE / 1000, &json!(ms)));
        }
    }
}

#[tokio::test]
async fn text_after_the_recording_is_paid_for_and_takes_no_second_place() {
    for (gateway, _redis) in with_each_store(setup).await {
        let (alice, audio, prompt) = (Account::of("alice", "two"), audio::wav(10_000), "x".repeat(1000));
        let form = Form::new().fields(&[("model", "gpt-4o-transcribe"), ("response_format", "text")]);
        let mut sender = Sender::form(&gateway, &alice, form.file(&audio).field("prompt", &prompt)).await;
        send_half(&gateway, &mut sender, &audio, 0).await;
        let got = sender.finish().await;
        got.is_served(1);
        assert_eq!(got.header("x-ratelimit-remaining-requests"), "1");
        let usage = alice.settled(&gateway).await;
        assert_eq!(spent(&usage), 10 * 100_000 + 1000 * 2500);
    }
}

#[tokio::test]
async fn a_budget_has_to_suffice_for_text_after_the_recording_and_for_no_more() {
    for (gateway, _redis) in with_each_store(setup).await {
        for (plan, status, cost) in [("enough", 200, 3_500_000), ("too-little", 429, 0)] {
            let (alice, audio, prompt) = (Account::of(plan, plan), audio::wav(10_000), "x".repeat(1000));
            let form = Form::new().fields(&[("model", "gpt-4o-transcribe"), ("response_format", "text")]);
            let mut sender = Sender::form(&gateway, &alice, form.file(&audio).field("prompt", &prompt)).await;
            let uploads = gateway.provider.uploads().len();
            send_half(&gateway, &mut sender, &audio, uploads).await;
            assert_eq!(sender.finish().await.status, status, "{plan}");
            gateway.provider.given_up(uploads).await;
            assert_eq!(spent(&alice.settled(&gateway).await), cost, "{plan}");
        }
        assert_eq!(gateway.provider.requests(), 1);
    }
}

#[tokio::test]
async fn what_a_model_takes_is_judged_by_the_whole() {
    let gateway = setup().env("VOXGATE_SPEECH__SPLIT", "false").start().await;
    let alice = Account::of("alice", "default");
    let mut short = audio::wav(100);
    short.extend_from_slice(b"LIST");
    short.extend_from_slice(&600_000_u32.to_le_bytes());
    short.resize(short.len() + 600_000, b'x');
    for (audio, code) in [(audio::wav(10_000), "audio_too_long"), (short, "audio_too_short")] {
        let form = Form::new().field("model", "brief").file(&audio);
        let mut sender = Sender::form(&gateway, &alice, form).await;
        sender.up_to(audio.len() / 2).await;
        sender.finish().await.is_error(400, code);
    }
    assert_eq!(whole(&gateway), 0);
    assert_eq!(spent(&alice.settled(&gateway).await), 0);
}

#[tokio::test]
async fn a_row_that_stands_in_gets_no_recording_that_is_too_long_for_it() {
    let gateway = Setup::new().short_backoff().config(PLANS).start().await;
    let (alice, audio) = (Account::of("alice", "default"), audio::wav(10_000));
    gateway.provider.answer(Reply::error(500).in_mid_upload(50_000));
    let mut sender = Sender::form(&gateway, &alice, Form::new().field("model", "long").file(&audio)).await;
    // The first attempt has failed. No other model takes so long a recording, so the same is tried again with what has come.
    send_half(&gateway, &mut sender, &audio, 1).await;
    assert_eq!(sender.finish().await.status, 200);
    assert_eq!((gateway.provider.requests(), gateway.provider.last().field("model")), (1, Some("long")));
    assert_eq!(spent(&alice.settled(&gateway).await), 10 * GPT_TRANSCRIBE);
}
