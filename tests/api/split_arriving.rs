//! Pieces of a recording go out while it is still arriving, and what it turns out to be is charged.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup};
use crate::support::money::nano_usd;
use crate::support::provider::{Gate, Reply, Seen};
use crate::support::scrape::Scrape;
use crate::support::sender::{ON_THE_WAY, Sender};
use crate::support::stores::with_each_store;
use crate::support::talk::{Talk, piece_ms, samples};
use crate::support::tools::{TOOLS, require_tool};

/// Billionths of a dollar for a millisecond of `gpt-4o-transcribe`.
const MS: u64 = 100;
/// The bytes of a second in a [`Talk`].
const SECOND: usize = 32_000;
/// The query of a model whose longest recording is twenty seconds.
const SHORT: &str = "model=gpt-4o-transcribe";
const SHORT_MODELS: &str = r#"
[models.gpt-4o-transcribe]
max_seconds = 20
[plans.little]
monthly_usd = "0.005"       # 50 s: enough for 25 s in pieces, not for 38 s
"#;

fn setup() -> Setup {
    Setup::new().config(SHORT_MODELS).short_backoff()
}

/// A sentence, a long silence, three sentences, a long silence, and two. The first is cut off after ten seconds.
fn talk() -> Talk {
    Talk::default().says(1).pause(8_000).says(3).pause(5_000).says(2)
}

/// A FLAC file of 38 s that states 25 s, in which there is one sentence; `None` if ffmpeg is missing.
fn understated() -> Option<Vec<u8>> {
    let talk = Talk::default().says(1).pause(25_000).says(3);
    let mut flac = encoded(&talk.wav(), &["-ar", "48000", "-sample_fmt", "s32"], "flac")?;
    assert!(flac.starts_with(b"fLaC\0\0\0\x22") && flac.len() > 300_000, "{}", flac.len());
    // The last 36 bits are the number of samples.
    let facts = u64::from_be_bytes(flac[18..26].try_into().unwrap());
    flac[18..26].copy_from_slice(&((facts & !0xf_ffff_ffff) | (25 * 48_000)).to_be_bytes());
    Some(flac)
}

/// An answer by the length of the piece, without a report of usage.
fn hears(seen: &Seen) -> Reply {
    let word = match piece_ms(seen) {
        0..5_000 => "one",
        5_000..9_000 => "two",
        _ => "three",
    };
    Reply::json(200, &json!({ "text": word }))
}

/// The cost of the pieces that the provider got, each rounded up to a millisecond.
fn cost_of_pieces(gateway: &Gateway) -> u64 {
    gateway.provider.all().iter().map(|seen| samples(seen).div_ceil(16) * MS).sum()
}

async fn spent(account: &Account, gateway: &Gateway) -> u64 {
    nano_usd(&account.settled(gateway).await["total"]["spent_usd"])
}

/// How many permits were settled, by how their requests ended.
async fn endings(gateway: &Gateway) -> Vec<(Vec<String>, u64)> {
    let table = Scrape::of(gateway).await.table("voxgate_settlements_total", ["ending"]);
    table.into_iter().map(|(ending, count)| (ending.to_vec(), count)).collect()
}

/// Encodes a WAV file with ffmpeg; `None` if that is missing.
fn encoded(wav: &[u8], options: &[&str], extension: &str) -> Option<Vec<u8>> {
    let ffmpeg = require_tool("ffmpeg", TOOLS)?;
    let folder = tempfile::TempDir::new().unwrap();
    let [from, to] = ["from.wav".to_owned(), format!("to.{extension}")].map(|name| folder.path().join(name));
    std::fs::write(&from, wav).unwrap();
    let status = Command::new(ffmpeg).args(["-v", "error", "-i"]).arg(from).args(options).arg(&to).status().unwrap();
    assert!(status.success());
    Some(std::fs::read(to).unwrap())
}

/// Sends all but the last byte, and waits for the first piece at the provider; then the last.
async fn is_sent_while_it_arrives(kind: &str, query: &str, audio: Vec<u8>) {
    assert!(audio.len() > 300_000, "{kind} has {} bytes", audio.len());
    let gateway = setup().start().await;
    gateway.provider.answer_by(hears);
    let alice = Account::of("alice", "default");
    let mut sender = Sender::raw_with(&gateway, &alice, query, audio).await;
    sender.all_but(1).await;
    gateway.provider.asked(1).await;
    let got = sender.finish().await;
    assert_eq!(got.status, 200, "{kind}: {got:?}");
    let [one, two, three] =
        ["one", "two", "three"].map(|word| got.body.find(word).unwrap_or_else(|| panic!("{kind}: {got:?}")));
    assert!(one < three && three < two, "{kind}: {got:?}");
    assert_eq!(got.header("x-voxgate-pieces"), "3", "{kind}");
    assert_eq!(gateway.provider.requests(), 3, "{kind}");
    let record = gateway.log.request(got.header("x-request-id")).await;
    assert_eq!(record["pieces"], 3, "{kind}: {record}");
    let ms = record["audio_ms"].as_u64().unwrap();
    assert!(ms.abs_diff(talk().ms()) < 100, "{kind}: {record}");
}

#[tokio::test]
async fn the_first_piece_of_a_wav_file_is_sent_before_its_last_byte_comes() {
    is_sent_while_it_arrives("WAV", SHORT, talk().wav()).await;
    is_sent_while_it_arrives("WAV", "model=gpt-transcribe&response_format=srt", talk().wav()).await;
}

#[tokio::test]
async fn the_first_piece_of_an_mp3_file_is_sent_before_its_last_byte_comes() {
    let Some(mp3) = encoded(&talk().wav(), &["-b:a", "96k", "-ar", "44100"], "mp3") else { return };
    is_sent_while_it_arrives("MP3", "model=gpt-transcribe&response_format=srt", mp3.clone()).await;
    // Its first frame states how long it is: too long for the model.
    is_sent_while_it_arrives("MP3", SHORT, mp3).await;
}

#[tokio::test]
async fn the_first_piece_of_a_webm_file_is_sent_before_its_last_byte_comes() {
    let options = ["-c:a", "libopus", "-b:a", "96k", "-vbr", "off", "-live", "1"];
    let Some(webm) = encoded(&talk().wav(), &options, "webm") else { return };
    is_sent_while_it_arrives("WebM", "model=gpt-transcribe&response_format=srt", webm).await;
}

#[tokio::test]
async fn the_first_piece_of_a_webm_file_that_states_its_length_is_sent_before_its_last_byte_comes() {
    let Some(webm) = encoded(&talk().wav(), &["-c:a", "libopus", "-b:a", "96k", "-vbr", "off"], "webm") else { return };
    is_sent_while_it_arrives("WebM", SHORT, webm).await;
}

#[tokio::test]
async fn a_recording_that_went_out_whole_and_is_too_long_costs_its_pieces_alone() {
    // A live recorder does not say how long its recording is.
    let live = ["-c:a", "libopus", "-b:a", "96k", "-vbr", "off", "-live", "1"];
    let Some(webm) = encoded(&talk().wav(), &live, "webm") else { return };
    for (gateway, _redis) in with_each_store(setup).await {
        gateway.provider.answer_by(hears);
        let alice = Account::of("alice", "default");
        let mut sender = Sender::raw_with(&gateway, &alice, SHORT, webm.clone()).await;
        sender.all_but(1).await;
        let uploaded = gateway.provider.receives(0, webm.len() - ON_THE_WAY).await;
        assert!(uploaded.received < uploaded.announced, "{uploaded:?}");
        let got = sender.finish().await;
        assert_eq!((got.status, got.header("x-voxgate-pieces")), (200, "3"), "{got:?}");
        gateway.provider.given_up(0).await;
        assert_eq!(gateway.provider.requests(), 3);
        let usage = alice.settled(&gateway).await;
        assert_eq!(
            (nano_usd(&usage["total"]["spent_usd"]), &usage["total"]["requests"]),
            (cost_of_pieces(&gateway), &json!(1))
        );
        assert_eq!(endings(&gateway).await, [(vec!["answered".to_owned()], 1)]);
    }
}

#[tokio::test]
async fn a_stream_whose_pieces_went_out_early_has_every_delta() {
    let gateway = setup().start().await;
    gateway.provider.answer_by(hears);
    let alice = Account::of("alice", "default");
    let mut sender = Sender::raw_with(&gateway, &alice, &format!("{SHORT}&stream=true"), talk().wav()).await;
    sender.all_but(1).await;
    gateway.provider.asked(2).await;
    let got = sender.finish().await;
    let data = got.body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> =
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect();
    let deltas: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!((deltas.as_str(), &events.last().unwrap()["text"]), ("one three two", &json!("one three two")));
    assert!(got.body.contains(&format!("\"total_ms\":{}", talk().ms())), "{got:?}");
}

#[tokio::test]
async fn no_piece_of_a_form_is_sent_before_the_form_is_whole() {
    // A worker that serves another request has seen what came before.
    let gateway = setup().env("VOXGATE_SERVER__WORKERS", "1").start().await;
    gateway.provider.answer_by(|seen| match seen.file().content_type.as_deref() {
        Some("audio/flac") => hears(seen),
        _ => Reply::json(200, &json!({ "text": "short" })),
    });
    let alice = Account::of("alice", "default");
    let form = Form::new().field("model", "gpt-4o-transcribe").file(&talk().wav());
    let mut sender = Sender::form(&gateway, &alice, form).await;
    sender.all_but(1).await;
    assert_eq!(gateway.transcribe(Form::new().file(&audio::wav(300))).await.status, 200);
    assert_eq!(gateway.provider.requests(), 1, "a piece was sent");
    assert_eq!(sender.finish().await.status, 200);
    assert_eq!(gateway.provider.requests(), 4);
}

#[tokio::test]
async fn pieces_that_went_out_early_cost_what_they_are() {
    for (gateway, _redis) in with_each_store(setup).await {
        gateway.provider.answer_by(hears);
        let alice = Account::of("alice", "default");
        let mut sender = Sender::raw_with(&gateway, &alice, SHORT, talk().wav()).await;
        sender.up_to(10 * SECOND).await;
        gateway.provider.asked(1).await;
        // All of it is charged before.
        assert!(nano_usd(&alice.usage(&gateway).await["total"]["spent_usd"]) >= talk().ms() * MS);
        assert_eq!(sender.finish().await.status, 200);
        assert_eq!(spent(&alice, &gateway).await, cost_of_pieces(&gateway));
    }
}

#[tokio::test]
async fn a_recording_that_is_longer_than_it_says_is_charged_anew_before_more_is_sent() {
    let Some(audio) = understated() else { return };
    for (gateway, _redis) in with_each_store(setup).await {
        let (alice, gate) = (Account::of("alice", "default"), Gate::closed());
        let held = gate.clone();
        gateway.provider.answer_by(
            move |seen| {
                if piece_ms(seen) < 5_000 { hears(seen) } else { hears(seen).held_by(&held) }
            },
        );
        let mut sender = Sender::raw_with(&gateway, &alice, SHORT, audio.clone()).await;
        sender.all_but(1).await;
        gateway.provider.asked(1).await;
        let claimed = nano_usd(&alice.usage(&gateway).await["total"]["spent_usd"]);
        assert!((25_000 * MS..45_000 * MS).contains(&claimed), "{claimed}");
        sender.up_to(usize::MAX).await;
        gateway.provider.asked(2).await;
        let revised = nano_usd(&alice.usage(&gateway).await["total"]["spent_usd"]);
        assert!(revised >= 50_000 * MS, "{revised}");
        gate.open();
        let got = sender.answer().await;
        assert_eq!(got.status, 200, "{got:?}");
        assert!(got.body.contains("one three"), "{got:?}");
        let usage = alice.settled(&gateway).await;
        assert_eq!(
            (nano_usd(&usage["total"]["spent_usd"]), &usage["total"]["requests"]),
            (cost_of_pieces(&gateway), &json!(1))
        );
    }
}

#[tokio::test]
async fn what_was_sent_is_charged_if_the_true_length_is_refused() {
    let Some(audio) = understated() else { return };
    for (gateway, _redis) in with_each_store(setup).await {
        gateway.provider.answer_by(hears);
        let alice = Account::of("alice", "little");
        let mut sender = Sender::raw_with(&gateway, &alice, SHORT, audio.clone()).await;
        sender.all_but(1).await;
        gateway.provider.asked(1).await;
        let got = sender.finish().await;
        got.is_error(429, "insufficient_quota");
        assert_eq!(got.header("x-should-retry"), "false");
        assert!(got.body.contains("sent to a provider by then, and is charged"), "{got:?}");
        assert_eq!(gateway.provider.requests(), 1, "nothing beyond the stated length is sent");
        assert_eq!(spent(&alice, &gateway).await, cost_of_pieces(&gateway));
        assert_eq!(endings(&gateway).await, [(vec!["broken".to_owned()], 1)]);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_pays_for_the_pieces_that_a_provider_had() {
    for (gateway, _redis) in with_each_store(setup).await {
        gateway.provider.answer_by(hears);
        let alice = Account::of("alice", "default");
        let mut sender = Sender::raw_with(&gateway, &alice, SHORT, talk().wav()).await;
        sender.up_to(10 * SECOND).await;
        gateway.provider.asked(1).await;
        drop(sender);
        gateway.log.recorded(1).await;
        let cost = spent(&alice, &gateway).await;
        assert_eq!((cost, gateway.provider.requests()), (cost_of_pieces(&gateway), 1));
        assert!(cost > 0);
        assert_eq!(endings(&gateway).await, [(vec!["left".to_owned()], 1)]);
    }
}

#[tokio::test]
async fn a_piece_that_is_refused_ends_the_request_before_its_upload_does() {
    let gateway = setup().start().await;
    let refusal = json!({ "error": { "message": "no", "type": "invalid_request_error", "param": null, "code": "no" } });
    gateway.provider.answer_always(Reply::json(400, &refusal));
    let alice = Account::of("alice", "default");
    let mut sender = Sender::raw_with(&gateway, &alice, SHORT, talk().wav()).await;
    sender.up_to(10 * SECOND).await;
    let got = sender.answer().await;
    got.is_error(400, "no");
    assert_eq!(spent(&alice, &gateway).await, 0);
}

#[tokio::test]
async fn a_recording_that_its_model_takes_after_all_goes_as_it_is() {
    // Ten seconds of no speech that say that they are a hundred.
    let overstated = audio::flac(40, audio::samples(40) * 10);
    let gateway = setup().start().await;
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "x" })));
    let alice = Account::of("alice", "default");
    let mut sender = Sender::raw_with(&gateway, &alice, SHORT, overstated.clone()).await;
    sender.all_but(1).await;
    let got = sender.finish().await;
    got.is_served(1);
    assert!(gateway.provider.last().file().body == overstated);
    assert_eq!(spent(&alice, &gateway).await, 10_240 * MS);
    let record = gateway.log.request(got.header("x-request-id")).await;
    assert_eq!(record["pieces"], Value::Null, "{record}");
}

fn on_disk(scrape: &Scrape) -> u64 {
    scrape.count("voxgate_spool_bytes", &[("place", "disk")])
}

#[tokio::test]
async fn a_claimed_length_takes_no_room() {
    // A hundred seconds would be 3300000 bytes of pieces.
    let gateway = setup().config(&format!("{SHORT_MODELS}[intake]\nspool_memory_bytes = 0\n")).start().await;
    let overstated = audio::flac(40, audio::samples(40) * 10);
    let alice = Account::of("alice", "default");
    let mut sender = Sender::raw_with(&gateway, &alice, SHORT, overstated).await;
    sender.all_but(1).await;
    while alice.usage(&gateway).await["total"]["requests"] == 0 {
        tokio::task::yield_now().await;
    }
    let disk = on_disk(&Scrape::of(&gateway).await);
    assert!(disk < 1_000_000, "{disk}, with the recording, and what is cut of it");
}

#[tokio::test]
async fn pieces_go_on_if_the_whole_room_is_refused_after_the_first() {
    let disk = "[intake]\nspool_memory_bytes = 65536\nmax_spool_memory_bytes = 65536\n\
        max_audio_bytes = 1500000\nmax_spool_disk_bytes = 3000000\n";
    let gateway = setup().config(&format!("{SHORT_MODELS}{disk}")).start().await;
    gateway.provider.answer_by(hears);
    let (alice, bob) = (Account::of("alice", "default"), Account::of("bob", "default"));
    let mut sender = Sender::raw_with(&gateway, &alice, SHORT, talk().wav()).await;
    sender.all_but(1).await;
    gateway.provider.asked(1).await;
    // The other recording leaves less than the rest of the pieces may take at most.
    let other = Form::new().field("model", "gpt-4o-transcribe").file(&audio::wav_of_bytes(1_200_000));
    let mut others = Sender::form(&gateway, &bob, other).await;
    others.all_but(1).await;
    Scrape::when(&gateway, |scrape| on_disk(scrape) > 2_000_000).await;
    let got = sender.finish().await;
    assert_eq!((got.status, got.header("x-voxgate-pieces")), (200, "3"), "{got:?}");
    assert_eq!(spent(&alice, &gateway).await, cost_of_pieces(&gateway));
}
