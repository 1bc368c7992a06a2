//! `voxgate transcribe --live`: sound from standard input, words as they come.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::audio;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::numbered;
use crate::support::provider::{Gate, Provider, Reply, TRANSCRIPT};
use crate::support::speaker::{PCM, Speaker};
use crate::support::talk::Talk;
use crate::support::transcribe::Recordings;

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.provider.answer_by(numbered());
    gateway
}

#[tokio::test]
async fn words_come_while_somebody_speaks() {
    let gateway = gateway().await;
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &["--model", "gpt-transcribe"]);
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1.").await;
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1. Turn 2.").await;
    assert!(!speaker.stdout.text().contains('\n'), "{}", speaker.stdout.text());
    speaker.ends_with("Turn 1. Turn 2.\n").await;
    assert_eq!(gateway.provider.last().field("model"), Some("gpt-transcribe"));
}

#[tokio::test]
async fn a_key_is_all_that_words_need() {
    let provider = Provider::start();
    provider.answer_by(numbered());
    let recordings = Recordings::with_key(&provider);
    let mut speaker = Speaker::pcm(&recordings, &["--language", "en", "--prompt", "names", "--quiet"]);
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1.").await;
    speaker.ends_with("Turn 1.\n").await;
    assert_eq!(speaker.stderr.text(), "");
    let seen = provider.last();
    assert_eq!((seen.field("language"), seen.field("prompt")), (Some("en"), Some("names")));
}

#[tokio::test]
async fn a_recorder_in_a_container_is_read_as_it_comes() {
    let gateway = gateway().await;
    for name in ["live.webm", "live.wav", "opus.ogg", "fragmented.mp4"] {
        gateway.provider.answer_by(numbered());
        let mut speaker = Speaker::start(&Recordings::with_gateway(&gateway), &["--live"]);
        for piece in audio::recorded(name).chunks(1000) {
            speaker.plays(piece);
        }
        speaker.ends_with("Turn 1.\n").await;
    }
}

#[tokio::test]
async fn words_of_a_container_come_before_its_end() {
    let gateway = gateway().await;
    let mut speaker = Speaker::start(&Recordings::with_gateway(&gateway), &["--live"]);
    speaker.plays(&Talk::default().says(1).pause(900).wav());
    speaker.stdout.shows("Turn 1.").await;
    speaker.ends_with("Turn 1.\n").await;
}

#[tokio::test]
async fn a_file_is_transcribed_as_fast_as_it_goes() {
    let gateway = gateway().await;
    let recordings = Recordings::with_gateway(&gateway);
    let ran = recordings.transcribe_input(&["--live"], &Talk::default().says(3).wav()).succeeded();
    assert_eq!(ran.stdout, "Turn 1. Turn 2. Turn 3.\n");
    let ran = recordings.transcribe_input(&PCM, Talk::default().says(2).pcm()).succeeded();
    assert_eq!(ran.stdout, "Turn 4. Turn 5.\n");
}

#[tokio::test]
async fn subtitles_come_cue_by_cue() {
    let gateway = gateway().await;
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &["--format", "srt"]);
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1.\n\n").await;
    let first = speaker.stdout.text();
    assert!(first.starts_with("1\n00:00:00,") && first.contains(" --> 00:00:0"), "{first}");
    speaker.says_a_sentence();
    speaker.stdout.shows("\n2\n00:00:0").await;
    speaker.stdout.shows("Turn 2.\n\n").await;
    let all = speaker.stdout.text();
    speaker.ends_with(&all).await;
    let silence = Talk::default().pause(1000);
    let arguments = [&PCM[..], &["--format", "vtt"]].concat();
    let vtt = Recordings::with_gateway(&gateway).transcribe_input(&arguments, silence.pcm());
    assert_eq!((vtt.code, vtt.stdout.as_str()), (Some(0), "WEBVTT\n\n"), "{}", vtt.stderr);
}

#[tokio::test]
async fn events_are_lines_of_json() {
    let gateway = gateway().await;
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &["--format", "json"]);
    speaker.says_a_sentence();
    speaker.stdout.shows("transcript.text.segment").await;
    speaker.falls_silent();
    assert_eq!(speaker.ended().await, Some(0), "{}", speaker.stderr.text());
    speaker.stdout.shows("transcript.text.done").await;
    let lines: Vec<Value> = speaker.stdout.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["transcript.text.delta", "transcript.text.segment", "transcript.text.done"]);
    assert_eq!((&lines[0]["segment_id"], &lines[1]["id"]), (&json!("seg_0"), &json!("seg_0")));
    assert_eq!((&lines[2]["text"], &lines[2]["duration"]), (&json!("Turn 1."), &json!(4.015)));
}

#[tokio::test]
async fn ctrl_c_waits_for_the_last_words() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({ "text": "The last words." })).held_by(&gate));
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &[]);
    speaker.says_a_sentence();
    gateway.provider.asked(1).await;
    speaker.signals(Signal::SIGINT);
    speaker.stderr.shows("waiting for the last words").await;
    gate.open();
    assert_eq!(speaker.ended().await, Some(0), "{}", speaker.stderr.text());
    speaker.prints("The last words.\n").await;
}

#[tokio::test]
async fn what_a_recorder_wrote_before_ctrl_c_is_heard() {
    let gateway = gateway().await;
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &[]);
    speaker.session().await;
    let talk = Talk::default().says(2);
    speaker.plays(talk.pcm());
    speaker.signals(Signal::SIGINT);
    assert_eq!(speaker.ended().await, Some(0), "{}", speaker.stderr.text());
    speaker.prints("Turn 1. Turn 2.\n").await;
    let heard = gateway.log.find("the session", |line| line.contains("/v1/live\"").then(|| line.to_owned())).await;
    assert!(heard.contains(&format!("\"audio_ms\":{},", talk.ms())), "{heard}");
}

#[tokio::test]
async fn a_second_ctrl_c_gives_the_session_up() {
    let (gateway, never) = (Gateway::start().await, Gate::closed());
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "x" })).held_by(&never));
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &[]);
    speaker.says_a_sentence();
    gateway.provider.asked(1).await;
    speaker.signals(Signal::SIGINT);
    speaker.stderr.shows("waiting for the last words").await;
    speaker.signals(Signal::SIGTERM);
    assert_eq!(speaker.ended().await, Some(143), "{}", speaker.stderr.text());
    gateway.provider.hung_up(1).await;
    let id = speaker.session().await;
    let gone = gateway.send(gateway.get(&format!("/v1/live/{id}"))).await;
    gone.is_error(404, "live_session_not_found", None);
}

#[tokio::test]
async fn a_refusal_is_told_before_anything_is_read() {
    let gateway = Setup::new().config("[live]\nenabled = false\n[models.still]\nlive = \"none\"\n").start().await;
    let recordings = Recordings::with_gateway(&gateway);
    recordings.transcribe_input(&PCM, &[0; 100]).was_refused(&["has no live sessions", "live_disabled"]);
    let recordings = Recordings::with_gateway(&gateway).env("VOXGATE_TOKEN", "not-a-token-that-anyone-knows");
    let ran = recordings.transcribe_input(&PCM, &[0; 100]);
    ran.was_refused(&["invalid_token"]);
    assert!(!ran.stderr.contains("anyone-knows"), "{}", ran.stderr);
    let gateway = Setup::new().config("[models.still]\nlive = \"none\"\n").start().await;
    let arguments = [&PCM[..], &["--model", "still"]].concat();
    Recordings::with_gateway(&gateway).transcribe_input(&arguments, &[0; 100]).was_refused(&["still"]);
}

#[tokio::test]
async fn the_words_of_a_sandbox_are_never_written() {
    let sandbox = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL");
    let gateway = sandbox.start().await;
    let recordings = Recordings::with_gateway(&gateway);
    recordings.transcribe_input(&PCM, Talk::default().says(1).pcm()).was_refused(&["sandbox"]);
}

#[tokio::test]
async fn a_turn_without_words_is_told_and_the_rest_goes_on() {
    let gateway = Setup::new().short_backoff().start().await;
    gateway.provider.answer(Reply::error(400));
    gateway.provider.answer(Reply::json(200, &json!({ "text": TRANSCRIPT })));
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &["--quiet"]);
    speaker.says_a_sentence();
    speaker.stderr.shows("0.0 s to ").await;
    speaker.says_a_sentence();
    speaker.stdout.shows(TRANSCRIPT).await;
    speaker.falls_silent();
    assert_eq!(speaker.ended().await, Some(1));
    speaker.prints(&format!("{TRANSCRIPT}\n")).await;
    assert_eq!(speaker.stderr.text().lines().count(), 1, "{}", speaker.stderr.text());
}

#[tokio::test]
async fn a_recorder_without_sound_fails() {
    let gateway = gateway().await;
    let recordings = Recordings::with_gateway(&gateway);
    let ran = recordings.transcribe_input(&PCM, b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("no sound on standard input"), "{}", ran.stderr);
    let text = b"This is no sound at all, but it is long enough to see that. ".repeat(100);
    let ran = recordings.transcribe_input(&["--live"], &text);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("invalid_audio"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_reader_that_has_had_enough_ends_the_session() {
    let gateway = gateway().await;
    let recordings = Recordings::with_gateway(&gateway);
    let mut command = recordings.command(&PCM);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, Talk::default().says(1).pause(700).pcm()).unwrap();
    let status = crate::support::poll::until("it ends", async || child.try_wait().unwrap().ok_or("it runs")).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn arguments_that_do_not_go_together_are_refused() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    for (arguments, word) in [
        (&["--live", "talk.wav"][..], "[FILE]"),
        (&["--live", "--output", "out"], "--output"),
        (&["--live", "--stream"], "--stream"),
        (&["--live", "--jobs", "2"], "--jobs"),
        (&["--live", "--timeout", "1m"], "--timeout"),
        (&["--live", "--format", "verbose_json"], "verbose_json"),
        (&["--live", "--sample-rate", "96000"], "48000"),
        (&["--live", "--channels", "2"], "--sample-rate"),
        (&["talk.wav", "--sample-rate", "16000"], "[FILE]"),
        (&["--live", "--token", "abc"], "--url"),
    ] {
        recordings.transcribe(arguments).was_refused(&[word]);
    }
    assert_eq!(provider.requests(), 0);
}
