//! When a request is over, nothing of it is left: no file, no open handle.

use std::path::PathBuf;

use crate::support::form::{BodyForm, Form};
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::open_files::wait_until_closed;
use crate::support::provider::{Framing, Gate, Reply, events};
use crate::support::wire::request_head;
use crate::support::{audio, token};

#[tokio::test]
async fn a_recording_is_nowhere_to_be_seen_even_while_it_is_worked_on() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&gate));
    let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(2000));
    let mut stream = gateway.open(form.on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    assert_eq!(gateway.spooled(), Vec::<PathBuf>::new(), "the recording has a name");
    gate.open();
    stream.rest().await;
    wait_until_closed(&gateway).await;
}

#[tokio::test]
async fn requests_of_every_kind_leave_nothing() {
    let gateway = Setup::new().single_attempt().start().await;
    let audio = audio::wav(2000);
    let never = Gate::closed();
    let mut finished = 0;
    for form in BodyForm::ALL {
        for stream in ["false", "true"] {
            let request = gateway.post(TRANSCRIPTIONS);
            assert_eq!(gateway.send(form.on(request, &[("stream", stream)], &audio)).await.status, 200);
            finished += 1;
        }
    }
    let refused = [
        Form::new().field("temperature", "7").file(&audio),
        Form::new().field("model", "no-such-model").file(&audio),
        Form::new().file(&audio).file(&audio),
        Form::new().file(&audio[1..]),
    ];
    for form in refused {
        assert!(gateway.transcribe(form).await.status >= 400);
        finished += 1;
    }
    gateway.provider.answer(Reply::whole(500, "text/html", "<html>"));
    assert_eq!(gateway.transcribe(Form::new().file(&audio)).await.status, 500);
    finished += 1;

    // Clients that go: in the middle of their body, and while the provider thinks.
    let bytes = Form::new().file(&audio).bytes();
    let mut wire = gateway.wire().await;
    wire.send(request_head(&token::good(), &Form::content_type(), bytes.len(), "")).await;
    wire.send(&bytes[..40_000]).await;
    drop(wire);
    gateway.provider.answer(Reply::stream().held_by(&never));
    let mut wire = gateway.wire().await;
    wire.send(request_head(&token::good(), &Form::content_type(), bytes.len(), "")).await;
    let asked = gateway.provider.requests() + 1;
    wire.send(&bytes).await;
    gateway.provider.asked(asked).await;
    drop(wire);
    gateway.provider.hung_up(1).await;
    finished += 2;

    gateway.log.recorded(finished).await;
    wait_until_closed(&gateway).await;
}

#[tokio::test]
async fn the_number_of_open_files_does_not_grow() {
    let gateway = Gateway::with(&[("VOXGATE_SERVER__WORKERS", "2")]).await;
    let audio = audio::wav(2000);
    let batch = || async {
        let requests = (0..16).map(|_| gateway.transcribe(Form::new().file(&audio)));
        for answer in futures_util::future::join_all(requests).await {
            assert_eq!(answer.status, 200);
        }
    };
    // The first batches fill the pools of connections, which are meant to stay.
    batch().await;
    batch().await;
    let before = gateway.open_files().len();
    for _ in 0..5 {
        batch().await;
    }
    wait_until_closed(&gateway).await;
    let after = gateway.open_files().len();
    assert!(after <= before + 16, "{before} open files have become {after}");
}
