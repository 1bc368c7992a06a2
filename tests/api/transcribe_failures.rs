//! `voxgate transcribe` where the gateway or the provider fails in the middle.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::audio;
use crate::support::provider::{Framing, Gate, Provider, Reply, events};
use crate::support::talk::Talk;
use crate::support::transcribe::Recordings;

/// One attempt at each piece, and conclusions from none.
fn single_attempt(recordings: Recordings) -> Recordings {
    recordings.env("VOXGATE_UPSTREAM__MAX_ATTEMPTS", "1").env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "0")
}

#[tokio::test]
async fn what_was_heard_of_a_recording_is_kept_and_named() {
    let (provider, asked) = (Provider::start(), AtomicUsize::new(0));
    provider.answer_by(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::json(200, &serde_json::json!({ "text": "Judge my vow." })),
        _ => Reply::error(400),
    });
    let recordings = single_attempt(Recordings::with_key(&provider))
        .env("VOXGATE_SPEECH__PIECES_AT_ONCE", "1")
        .file("talk.wav", &Talk::default().says(12).wav());
    let arguments = ["talk.wav", "--format", "srt", "--output", "out"];
    let ran = recordings.transcribe(&arguments);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("talk.wav: transcript_incomplete: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("what was heard is in out/talk.srt.incomplete"), "{}", ran.stderr);
    assert_eq!(recordings.names("out"), ["talk.srt.incomplete"]);
    assert!(recordings.text("out/talk.srt.incomplete").contains("vow."));
    provider.answer_by(|_| Reply::json(200, &serde_json::json!({ "text": "Judge my vow." })));
    recordings.transcribe(&arguments).succeeded();
    assert_eq!(recordings.names("out"), ["talk.srt"], "the part is in the whole");
}

#[tokio::test]
async fn a_stream_that_breaks_writes_nothing_and_is_not_sent_again() {
    let provider = Provider::start();
    provider.answer(Reply::stream().send(Framing::PLAIN.all(&events()[..3])).close());
    let recordings = single_attempt(Recordings::with_key(&provider)).file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--model", "gpt-4o-transcribe", "--output", "out"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("talk.wav: provider_stream_broken: "), "{}", ran.stderr);
    assert_eq!((recordings.names("out"), provider.requests()), (Vec::new(), 1));
}

#[tokio::test]
async fn a_providers_refusal_is_one_line() {
    let provider = Provider::start();
    provider.answer(Reply::error(400));
    let recordings = single_attempt(Recordings::with_key(&provider)).file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    let expected = "talk.wav: from_provider: The provider says 400. (request ";
    assert!(ran.stderr.starts_with(expected) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[tokio::test]
async fn a_timeout_ends_one_recording() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    provider.answer_always(Reply::stream().held_by(&gate));
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--timeout", "1s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    // The gateway has the last word: it may bring what was heard.
    assert!(ran.stderr.contains("provider_timeout"), "{}", ran.stderr);
}
