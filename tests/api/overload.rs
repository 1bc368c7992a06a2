//! A gateway that has as much to do as it may have says so before a body is sent, and harms nobody whom it has let in.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::account::Account;
use crate::support::form::{BodyForm, Form, chunked};
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::open_files::{open_files, wait_until_closed};
use crate::support::poll::until;
use crate::support::provider::{Framing, Gate, Reply, answer, events};
use crate::support::sender::Sender;
use crate::support::wire::request_head;
use crate::support::{audio, token};

const EXPECT: &str = "Expect: 100-continue\r\n";

/// A usual answer, once `gate` opens.
fn held_by(gate: &Gate) -> Reply {
    let (content_type, body) = answer("json");
    Reply::whole(200, content_type, body).held_by(gate)
}

fn is_overloaded(answer: &Answer) {
    answer.is_error(503, "overloaded", None);
    assert_eq!((answer.header("retry-after"), answer.header("retry-after-ms")), (Some("2"), Some("2000")));
}

/// Waits until there is room again: what was held is let go a moment after the client has its answer.
async fn is_served_again(gateway: &Gateway, audio: &[u8]) {
    until("there is room again", async || {
        let got = gateway.transcribe(Form::new().file(audio)).await;
        if got.status == 200 {
            return Ok(());
        }
        is_overloaded(&got);
        Err("it is refused")
    })
    .await;
}

/// That requests of this size are refused by their heads.
async fn refuses_before_the_body(gateway: &Gateway, bytes: usize) {
    let json = "application/json".to_owned();
    for (content_type, bytes) in [(Form::content_type(), bytes), ("audio/wav".to_owned(), bytes), (json, bytes * 2)] {
        for more in ["", EXPECT] {
            let mut wire = gateway.wire().await;
            wire.send(request_head(&token::good(), &content_type, bytes, more)).await;
            let head = wire.head().await;
            assert!(head.starts_with("HTTP/1.1 503 "), "{content_type}: {head}");
            assert!(head.contains("retry-after: 2\r\n") && head.contains("x-request-id: "), "{head}");
            assert!(wire.until("}}").await.contains("\"code\":\"overloaded\""));
        }
    }
}

#[tokio::test]
async fn a_request_too_many_is_refused_before_its_body_and_the_others_are_unharmed() {
    let gateway = Setup::new().single_attempt().concurrency(2, 0).start().await;
    let (bob, audio, gate) = (Account::of("bob", "default"), audio::wav(1000), Gate::closed());
    gateway.provider.answer(held_by(&gate));
    // One waits for its answer, one has sent half of its recording.
    let mut waiting = Sender::raw(&gateway, &bob, audio.clone()).await;
    waiting.up_to(usize::MAX).await;
    gateway.provider.asked(1).await;
    let mut sending = Sender::begin(&gateway, &bob, "audio/wav", audio.clone(), EXPECT).await;
    assert_eq!(sending.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    sending.up_to(audio.len() / 2).await;
    // The worker has seen that.
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);

    refuses_before_the_body(&gateway, 1000).await;
    for form in BodyForm::ALL {
        is_overloaded(&gateway.send(form.on(gateway.post(TRANSCRIPTIONS), &[], &audio)).await);
    }
    // Whoever would be refused in any case hears why, and what has no audio needs no place.
    let unknown = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token::altered());
    gateway.send(Form::new().file(&audio).on(unknown)).await.is_error(401, "invalid_token", None);
    bob.usage(&gateway).await;

    assert_eq!(gateway.provider.tries(), 1);
    gate.open();
    waiting.answer().await.is_served(1);
    sending.finish().await.is_served(1);
    is_served_again(&gateway, &audio).await;
    assert_eq!(bob.settled(&gateway).await["total"]["requests"], 2);
}

#[tokio::test]
async fn a_request_waits_in_the_queue_for_a_place() {
    let gateway =
        Setup::new().single_attempt().concurrency(1, 1).env("VOXGATE_SERVER__QUEUE_TIMEOUT", "20s").start().await;
    let (bob, audio, gate) = (Account::of("bob", "default"), audio::wav(1000), Gate::closed());
    gateway.provider.answer(held_by(&gate));
    let mut first = Sender::raw(&gateway, &bob, audio.clone()).await;
    first.up_to(usize::MAX).await;
    gateway.provider.asked(1).await;
    let mut second = Sender::raw(&gateway, &bob, audio.clone()).await;
    second.up_to(usize::MAX).await;
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
    // The queue is full: nobody waits in vain.
    is_overloaded(&gateway.transcribe(Form::new().file(&audio)).await);
    assert_eq!(gateway.provider.tries(), 1);
    gate.open();
    first.answer().await.is_served(1);
    second.answer().await.is_served(1);
    // One that gives up waiting leaves its place in the queue.
    gateway.provider.answer(held_by(&gate));
    let mut first = Sender::raw(&gateway, &bob, audio.clone()).await;
    first.up_to(usize::MAX).await;
    gateway.provider.asked(3).await;
    for recorded in [6, 8] {
        let second = Sender::raw(&gateway, &bob, audio.clone()).await;
        assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
        drop(second);
        gateway.log.recorded(recorded).await;
        assert_eq!(gateway.log.requests().last().unwrap()["outcome"], "client_gone");
    }
    gate.open();
    first.answer().await.is_served(1);
}

/// Where files run out, no recording can be kept and no provider be reached, which must not look like its fault.
#[tokio::test]
async fn no_more_requests_are_let_in_than_there_may_be_files_open_for() {
    let gateway = Setup::new().env("VOXGATE_SERVER__MAX_QUEUE", "0").open_files(160).start().await;
    let (bob, audio) = (Account::of("bob", "default"), audio::wav(10_000));
    let lowered = "server.max_in_flight is lowered, since so few files may be open (ulimit -n, LimitNOFILE)";
    let lowered = gateway.log.event(lowered).await;
    assert_eq!((&lowered["wanted"], &lowered["possible"]), (&json!(4096), &json!(14)));
    let mut senders = Vec::new();
    for _ in 0..40 {
        let mut sender = Sender::raw(&gateway, &bob, audio.clone()).await;
        sender.up_to(audio.len() / 2).await;
        senders.push(sender);
    }
    let mut served = 0;
    for mut sender in senders {
        let got = sender.finish().await;
        match got.status {
            200 => served += 1,
            _ => got.is_error(503, "overloaded"),
        }
    }
    // Four fifths of them are for one caller.
    assert!((12..40).contains(&served), "{served}");
    is_served_again(&gateway, &audio).await;
}

#[tokio::test]
async fn nobody_waits_longer_for_a_place_than_the_settings_say() {
    let gateway =
        Setup::new().single_attempt().concurrency(1, 1).env("VOXGATE_SERVER__QUEUE_TIMEOUT", "200ms").start().await;
    let (gate, audio) = (Gate::closed(), audio::wav(1000));
    gateway.provider.answer(held_by(&gate));
    let mut first = Sender::raw(&gateway, &Account::of("bob", "default"), audio.clone()).await;
    first.up_to(usize::MAX).await;
    gateway.provider.asked(1).await;
    let start = Instant::now();
    is_overloaded(&gateway.transcribe(Form::new().file(&audio)).await);
    let waited = start.elapsed();
    // The request that has the place ends only after this.
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    gate.open();
    first.answer().await.is_served(1);
}

#[tokio::test]
async fn a_stream_has_its_place_until_it_ends() {
    let gateway = Setup::new().single_attempt().concurrency(1, 0).start().await;
    let (audio, gate, all) = (audio::wav(1000), Gate::closed(), Framing::PLAIN.all(&events()));
    let (first, rest) = all.split_at(Framing::PLAIN.event(&events()[0]).len());
    gateway.provider.answer(Reply::stream().send(first).wait(&gate).send(rest));
    let form = Form::new().field("stream", "true").file(&audio);
    let mut stream = gateway.open(form.on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    is_overloaded(&gateway.transcribe(Form::new().file(&audio)).await);
    gate.open();
    stream.rest().await;
    is_served_again(&gateway, &audio).await;
}

#[tokio::test]
async fn every_end_gives_the_place_back() {
    let setup = Setup::new().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400");
    let gateway = setup.single_attempt().concurrency(1, 0).start().await;
    let (bob, audio, never) = (Account::of("bob", "default"), audio::wav(10_000), Gate::closed());
    let stream = || Form::new().field("model", "gpt-transcribe").field("stream", "true").file(&audio);
    let first = Framing::PLAIN.event(&events()[0]);
    for (form, reply) in [
        (Form::new().file(&audio[1..]), None),
        (Form::new().field("temperature", "7").file(&audio), None),
        (Form::new().file(&audio), Some(Reply::error(413))),
        (Form::new().file(&audio), Some(Reply::hang_up_in_mid_upload(50_000))),
        (Form::new().file(&audio), Some(Reply::cut_short("application/json", "{"))),
        (stream(), None),
        (stream(), Some(Reply::stream().send(first.clone()).close())),
        (stream(), Some(Reply::error(500))),
    ] {
        if let Some(reply) = reply {
            gateway.provider.answer(reply);
        }
        let got = gateway.transcribe(form).await;
        assert!(got.status != 503, "{}", got.text());
        is_served_again(&gateway, &audio).await;
    }
    let too_large = gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav");
    let got = gateway.send(too_large.body(chunked(&vec![0; 27_000_000], 1 << 20))).await;
    got.is_error(413, "file_too_large", Some("file"));
    is_served_again(&gateway, &audio).await;

    // Clients that go: before their body, in the middle of it, while the provider thinks, in the middle of a stream.
    let asked = gateway.provider.tries();
    for (sent, reply, tries) in [
        (0, None, 0),
        (audio.len() / 2, None, 0),
        (usize::MAX, Some(Reply::stream().held_by(&never)), 1),
        (usize::MAX, Some(Reply::stream().send(first.clone()).wait(&never)), 1),
    ] {
        let asked = gateway.provider.tries().max(asked);
        if let Some(reply) = reply {
            gateway.provider.answer(reply);
        }
        let mut sender = Sender::form(&gateway, &bob, stream()).await;
        sender.up_to(sent).await;
        gateway.provider.asked(asked + tries).await;
        drop(sender);
        is_served_again(&gateway, &audio).await;
    }
    wait_until_closed(&gateway).await;
}

#[tokio::test]
async fn recordings_that_find_no_room_are_refused_and_room_is_given_back() {
    let setup = Setup::new().single_attempt().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "400000");
    // Without memory in plenty, what goes to a file goes there at once.
    let setup = setup.env("VOXGATE_INTAKE__MAX_SPOOL_MEMORY_BYTES", "0");
    let gateway = setup.env("VOXGATE_INTAKE__MAX_SPOOL_DISK_BYTES", "500000").start().await;
    let (bob, audio, gate) = (Account::of("bob", "default"), audio::wav(10_000), Gate::closed());
    gateway.provider.answer(held_by(&gate));
    let mut first = Sender::form(&gateway, &bob, Form::new().file(&audio)).await;
    first.up_to(usize::MAX).await;
    gateway.provider.asked(1).await;

    refuses_before_the_body(&gateway, audio.len()).await;
    is_overloaded(&gateway.transcribe(Form::new().file(&audio)).await);
    // What does not say how large it is, is refused when it gets there.
    let unannounced = gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav").body(chunked(&audio, 10_000));
    is_overloaded(&gateway.send(unannounced).await);
    // What is small enough for memory needs no room on disk.
    assert_eq!(gateway.transcribe(Form::new().file(&audio::wav(100))).await.status, 200);
    assert_eq!(gateway.provider.tries(), 2);

    gate.open();
    first.answer().await.is_served(1);
    is_served_again(&gateway, &audio).await;
    wait_until_closed(&gateway).await;
    assert_eq!(
        bob.settled(&gateway).await["total"],
        json!({ "requests": 1, "audio_ms": 10_000, "spent_usd": "0.00075" })
    );
}

#[tokio::test]
async fn room_for_one_recording_is_room_for_the_largest() {
    let setup = Setup::new().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "320044");
    let gateway = setup.env("VOXGATE_INTAKE__MAX_SPOOL_DISK_BYTES", "320044").start().await;
    let audio = audio::wav(10_000);
    assert_eq!(audio.len(), 320_044);
    for form in BodyForm::ALL {
        let got = gateway.send(form.on(gateway.post(TRANSCRIPTIONS), &[], &audio)).await;
        assert_eq!(got.status, 200, "{}", got.text());
        wait_until_closed(&gateway).await;
    }
}

#[tokio::test]
async fn recordings_beyond_the_memory_for_all_of_them_go_to_files() {
    // Each of them is small enough for memory, and there is memory for three.
    let setup = Setup::new().env("VOXGATE_INTAKE__SPOOL_MEMORY_BYTES", "400000");
    let gateway = setup.env("VOXGATE_INTAKE__MAX_SPOOL_MEMORY_BYTES", "1048576").start().await;
    let (bob, audio, gate) = (Account::of("bob", "default"), audio::wav(10_000), Gate::closed());
    for round in 0..2 {
        let mut senders = Vec::new();
        for at in 0..6 {
            gateway.provider.answer(held_by(&gate));
            let mut sender = Sender::form(&gateway, &bob, Form::new().file(&audio)).await;
            sender.up_to(usize::MAX).await;
            gateway.provider.asked(6 * round + at + 1).await;
            senders.push(sender);
        }
        let files = open_files(&gateway);
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files.iter().all(|path| path.to_string_lossy().ends_with("(deleted)")), "{files:?}");
        for _ in &senders {
            gate.open();
        }
        for mut sender in senders {
            sender.answer().await.is_served(1);
        }
        wait_until_closed(&gateway).await;
    }
    assert!(gateway.provider.all().iter().all(|seen| seen.file().body == audio));
}

#[tokio::test]
async fn a_caller_who_may_have_few_requests_at_a_time_cannot_take_every_place() {
    let setup = Setup::new().single_attempt().concurrency(12, 0).config("[plans.default]\nmax_concurrent = 1\n");
    let gateway = setup.start().await;
    let (alice, bob) = (Account::of("alice", "default"), Account::of("bob", "default"));
    let mut arriving = Vec::new();
    for _ in 0..9 {
        let mut sender = Sender::raw(&gateway, &alice, audio::wav(300)).await;
        sender.up_to(10).await;
        arriving.push(sender);
    }
    // One more would have to wait for one of hers to end, and is told so by its head.
    let refused = until("a tenth is refused, when all nine are read", async || {
        let got = alice.transcribe(&gateway, 300).await;
        if got.status == 429 { Ok(got) } else { Err(got.status) }
    });
    refused.await.is_error(429, "concurrency_limit_exceeded", None);
    assert_eq!(bob.transcribe(&gateway, 300).await.status, 200);
    for mut sender in arriving {
        sender.finish().await.is_served(1);
    }
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
}
