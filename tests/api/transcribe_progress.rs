//! What `voxgate transcribe` shows while it works: bars on a terminal, lines elsewhere.

use crate::support::audio;
use crate::support::provider::{Framing, Gate, Provider, Reply, TRANSCRIPT, events};
use crate::support::talk::Talk;
use crate::support::transcribe::Recordings;

#[tokio::test]
async fn a_terminal_shows_a_bar_for_each_recording() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    provider.answer(Reply::stream().send(Framing::PLAIN.all(&events())).held_by(&gate));
    let recordings = Recordings::with_key(&provider).file("a.wav", &audio::wav(1500)).file("b.wav", &audio::wav(1500));
    let mut running = recordings.start_on_a_terminal(&["a.wav", "b.wav", "--output", "out", "--jobs", "1"]);
    running.stderr.shows(" sent").await;
    running.stderr.shows("transcribing for ").await;
    running.stderr.shows("0 of 2 are done").await;
    gate.open();
    running.stderr.shows("1 of 2 are done").await;
    assert_eq!(running.ended().await, Some(0), "{}", running.stderr.text());
    running.stderr.shows("b.wav: written to out/b.txt").await;
    running.stderr.shows("2 of 2 recordings transcribed").await;
}

#[tokio::test]
async fn one_recording_on_a_terminal_prints_its_text_alone() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    for more in [&[][..], &["--stream"]] {
        let mut running = recordings.start_on_a_terminal(&[&["talk.wav"], more].concat());
        assert_eq!(running.ended().await, Some(0), "{}", running.stderr.text());
        assert_eq!(running.stdout.text(), TRANSCRIPT);
        running.stderr.shows("talk.wav: transcribed").await;
    }
}

#[tokio::test]
async fn elsewhere_each_thing_that_happens_is_a_line() {
    let provider = Provider::start();
    provider.answer_by(|_| Reply::json(200, &serde_json::json!({ "text": "Judge my vow." })));
    let talk = Talk::default().says(12);
    let recordings = Recordings::with_key(&provider).file("talk.wav", &talk.wav());
    let ran = recordings.transcribe(&["talk.wav", "--format", "srt", "--output", "out"]).succeeded();
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.first(), Some(&"talk.wav: sending 1.2 MB"), "{}", ran.stderr);
    assert!(lines.iter().any(|line| line.starts_with("talk.wav: piece 1")), "{}", ran.stderr);
    assert_eq!(lines.last(), Some(&"talk.wav: written to out/talk.srt, 40 s of audio"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\r'), "{:?}", ran.stderr);
    assert!(recordings.text("out/talk.srt").starts_with("1\n00:00:0"), "{}", recordings.text("out/talk.srt"));
}

#[tokio::test]
async fn a_quiet_run_says_nothing_unless_it_fails() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--quiet", "--output", "out"]).succeeded();
    assert_eq!(ran.stderr, "");
    let ran = recordings.transcribe(&["talk.wav", "missing.wav", "--quiet", "--output", "out"]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{}", ran.stderr);
}
