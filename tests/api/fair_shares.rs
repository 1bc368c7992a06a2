//! One caller, however it sends, cannot take what others need: places, the queue for them, room for recordings.

use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::form::{Form, chunked};
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::scrape::Scrape;
use crate::support::sender::{Got, Sender};
use crate::support::{audio, sessions, token};

/// A plan that bounds nothing.
const UNLIMITED: &str = "[plans.default]\n";

const IN_FLIGHT: &str = "voxgate_requests_in_flight";
const QUEUED: &str = "voxgate_requests_queued";

fn on_disk(scrape: &Scrape) -> u64 {
    scrape.count("voxgate_spool_bytes", &[("place", "disk")])
}

async fn shows(gateway: &Gateway, name: &str, count: usize) {
    Scrape::when(gateway, |scrape| scrape.count(name, &[]) == u64::try_from(count).unwrap()).await;
}

/// An upload that has begun and pauses.
async fn trickling(gateway: &Gateway, account: &Account) -> Sender {
    let mut sender = Sender::raw(gateway, account, audio::wav(300)).await;
    sender.up_to(10).await;
    sender
}

/// Begins uploads one after the other until the gateway holds `in_flight` requests.
async fn fill(gateway: &Gateway, account: &Account, in_flight: std::ops::RangeInclusive<usize>) -> Vec<Sender> {
    let mut held = Vec::new();
    for count in in_flight {
        held.push(trickling(gateway, account).await);
        shows(gateway, IN_FLIGHT, count).await;
    }
    held
}

#[track_caller]
fn is_over_its_share(got: &Got) {
    got.is_error(503, "overloaded");
    assert_eq!((got.header("retry-after"), got.header("retry-after-ms")), ("2", "2000"));
    assert!(got.body.contains("You have as many requests in flight"), "{got:?}");
}

#[track_caller]
fn recordings_take_its_room(answer: &Answer) {
    answer.is_error(503, "overloaded", None);
    assert!(answer.text().contains("Your recordings take all the room"), "{}", answer.text());
}

#[tokio::test]
async fn a_caller_without_a_limit_who_trickles_leaves_places_to_others() {
    let gateway = Setup::new().single_attempt().concurrency(10, 0).config(UNLIMITED).start().await;
    let (alice, bob, carol) =
        (Account::of("alice", "default"), Account::of("bob", "default"), Account::of("carol", "default"));
    let hers = fill(&gateway, &alice, 1..=8).await;
    // Before its body, with and without a question first.
    for more in ["", "Expect: 100-continue\r\n"] {
        let mut one_more = Sender::begin(&gateway, &alice, "audio/wav", audio::wav(300), more).await;
        is_over_its_share(&one_more.answer().await);
    }
    // Another token of hers is no other caller.
    let other = Account::with(&token::with(&json!({ "sub": "alice", "jti": "another" })));
    other.transcribe(&gateway, 300).await.is_error(503, "overloaded", None);
    let _his = fill(&gateway, &bob, 9..=9).await;
    assert_eq!(carol.transcribe(&gateway, 300).await.status, 200);
    for mut sender in hers {
        sender.finish().await.is_served(1);
    }
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
}

#[tokio::test]
async fn the_uploads_of_sessions_count_as_their_makers() {
    let gateway = Setup::new().single_attempt().concurrency(10, 0).config(UNLIMITED).start().await;
    let backend = token::with(&json!({ "sub": "shop", "scope": "sessions transcribe usage" }));
    let mut users = Vec::new();
    for subject in ["one", "two", "three"] {
        let (token, _) = sessions::open(&gateway, &backend, &json!({ "subject": subject })).await;
        users.push(Account::with(&token));
    }
    // One session leaves a place to the others of its maker.
    let mut held = fill(&gateway, &users[0], 1..=7).await;
    is_over_its_share(&trickling(&gateway, &users[0]).await.answer().await);
    held.extend(fill(&gateway, &users[1], 8..=8).await);
    // All of them together, and the maker, leave places to other callers.
    for account in [&users[1], &users[2], &Account::with(&backend)] {
        is_over_its_share(&trickling(&gateway, account).await.answer().await);
    }
    let _his = fill(&gateway, &Account::of("bob", "default"), 9..=9).await;
    // The same name with a token of its own is another caller.
    assert_eq!(Account::of("three", "default").transcribe(&gateway, 300).await.status, 200);
    for mut sender in held {
        sender.finish().await.is_served(1);
    }
    assert_eq!(users[2].transcribe(&gateway, 300).await.status, 200);
}

#[tokio::test]
async fn recordings_are_measured_on_threads_of_their_own_unless_they_are_small_wav() {
    let gateway = Setup::new().env("VOXGATE_INTAKE__SPOOL_MEMORY_BYTES", "1048576").start().await;
    let threads = || gateway.sleeps_of_threads("measuring-");
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(threads().len(), (cores - 1).max(1), "a core is left to others");
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(scrape.count("voxgate_measuring_threads", &[]), u64::try_from(threads().len()).unwrap());
    let slept = || threads().iter().sum::<u64>();
    let before = slept();
    // The length of a few bytes of PCM is a division, which is done where the request is.
    assert_eq!(gateway.transcribe(Form::new().file(&audio::wav(100))).await.status, 200);
    assert_eq!(slept(), before);
    for audio in [audio::wav(3000), audio::wav(60_000)] {
        let before = slept();
        assert_eq!(gateway.transcribe(Form::new().file(&audio)).await.status, 200);
        // The thread goes to sleep again a moment after it has told the length.
        Scrape::when(&gateway, |_| slept() > before).await;
    }
}

#[tokio::test]
async fn the_queue_is_shared_fairly_between_callers() {
    let setup =
        Setup::new().single_attempt().concurrency(5, 5).config(UNLIMITED).env("VOXGATE_SERVER__QUEUE_TIMEOUT", "30s");
    let gateway = setup.start().await;
    let (alice, bob) = (Account::of("alice", "default"), Account::of("bob", "default"));
    let mut hers = fill(&gateway, &alice, 1..=4).await;
    let mut waiting = Vec::new();
    for count in 1..=4 {
        waiting.push(trickling(&gateway, &alice).await);
        shows(&gateway, QUEUED, count).await;
    }
    is_over_its_share(&trickling(&gateway, &alice).await.answer().await);
    let mut his = fill(&gateway, &bob, 5..=5).await;
    let mut second = trickling(&gateway, &bob).await;
    shows(&gateway, QUEUED, 5).await;
    // He came last, and has fewer places.
    hers.pop().unwrap().finish().await.is_served(1);
    second.finish().await.is_served(1);
    for mut sender in hers.into_iter().chain(his.drain(..)).chain(waiting) {
        sender.finish().await.is_served(1);
    }
}

#[tokio::test]
async fn a_size_that_is_only_announced_takes_no_room() {
    const GIGABYTE: &str = "1073741824";
    let setup = Setup::new().config(UNLIMITED).env("VOXGATE_INTAKE__MAX_SPOOL_MEMORY_BYTES", "0");
    let gateway = setup.env("VOXGATE_INTAKE__MAX_SPOOL_DISK_BYTES", GIGABYTE).start().await;
    let (alice, bob) = (Account::of("alice", "default"), Account::of("bob", "default"));
    let (mut held, beginning) = (Vec::new(), audio::wav(1000)[..1000].to_vec());
    for count in 1..=50 {
        let body = (beginning.clone(), 25_000_000);
        let mut sender = Sender::announcing(&gateway, &alice, "audio/wav", body, "").await;
        sender.up_to(usize::MAX).await;
        held.push(sender);
        shows(&gateway, IN_FLIGHT, count).await;
    }
    assert!(on_disk(&Scrape::of(&gateway).await) < 50 * 64 * 1024);
    for account in [&bob, &alice] {
        assert_eq!(account.send(&gateway, Form::new().file(&audio::wav_of_bytes(20_000_000))).await.status, 200);
    }
}

#[tokio::test]
async fn a_recording_beyond_the_callers_share_of_the_spool_is_refused() {
    const SIZE: usize = 44 + 28_000 * 32;
    let setup = Setup::new().single_attempt().config(UNLIMITED).env("VOXGATE_INTAKE__MAX_SPOOL_MEMORY_BYTES", "0");
    let setup = setup.env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "1000000");
    let gateway = setup.env("VOXGATE_INTAKE__MAX_SPOOL_DISK_BYTES", "2000000").start().await;
    let (alice, bob) = (Account::of("alice", "default"), Account::of("bob", "default"));
    let audio = audio::wav_of_bytes(SIZE);
    // When the second begins there is room for both; it goes to the provider as it comes.
    let mut first = Sender::raw(&gateway, &alice, audio.clone()).await;
    first.up_to(SIZE / 2).await;
    Scrape::when(&gateway, |scrape| on_disk(scrape) > 400_000).await;
    let mut second = Sender::raw(&gateway, &alice, audio.clone()).await;
    second.up_to(SIZE / 2).await;
    Scrape::when(&gateway, |scrape| on_disk(scrape) > 800_000).await;
    first.all_but(1).await;
    Scrape::when(&gateway, |scrape| on_disk(scrape) > 1_250_000).await;
    let refused = second.finish().await;
    refused.is_error(503, "overloaded");
    assert!(refused.body.contains("Your recordings take all the room"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "2");
    first.finish().await.is_served(1);
    let total = &alice.settled(&gateway).await["total"];
    assert_eq!(total["audio_ms"], (SIZE - 44) / 32, "{total}");

    Scrape::when(&gateway, |scrape| on_disk(scrape) == 0).await;
    // Her recordings leave room for others, and more of hers are refused by their heads.
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut sender = Sender::chunked(&gateway, &alice, "audio/wav", &audio[..780_000]).await;
        sender.all_but(10).await;
        held.push(sender);
    }
    Scrape::when(&gateway, |scrape| on_disk(scrape) > 1_450_000).await;
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(alice.token());
    let more = request.header("content-type", "audio/wav").body(audio::wav_of_bytes(300_000));
    recordings_take_its_room(&gateway.send(more).await);
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(bob.token());
    let his = request.header("content-type", "audio/wav").body(chunked(&audio::wav_of_bytes(300_000), 10_000));
    assert_eq!(gateway.send(his).await.status, 200);
}
