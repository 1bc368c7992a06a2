//! `voxgate transcribe` with a provider's key alone: it starts a gateway for itself.

use serde_json::Value;

use crate::support::audio;
use crate::support::gateway::run;
use crate::support::provider::{Framing, Gate, KEY, Provider, Reply, TRANSCRIPT, events};
use crate::support::transcribe::Recordings;

#[tokio::test]
async fn a_key_is_all_that_a_transcript_needs() {
    let provider = Provider::start();
    // What a service is told elsewhere is not for the command.
    let recordings = Recordings::with_key(&provider)
        .env("VOXGATE_BIND", "0.0.0.0:80")
        .env("VOXGATE_JWT_SECRET", "short")
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav"]).succeeded();
    assert_eq!(ran.stdout, format!("{TRANSCRIPT}\n"));
    assert_eq!(provider.last().field("response_format"), Some("text"));
}

#[tokio::test]
async fn each_format_is_what_the_api_answers() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::recorded("sample.wav"));
    let transcribe = |format: &str, model: &str| {
        recordings.transcribe(&["talk.wav", "--format", format, "--model", model]).succeeded().stdout
    };
    assert_eq!(transcribe("srt", "whisper-1"), format!("1\n00:00:00,000 --> 00:00:01,800\n{TRANSCRIPT}\n"));
    assert!(transcribe("vtt", "whisper-1").starts_with("WEBVTT\n\n"));
    let json: Value = serde_json::from_str(&transcribe("json", "gpt-transcribe")).unwrap();
    assert_eq!((&json["text"], json["usage"].is_object()), (&Value::from(TRANSCRIPT), true));
    let json: Value = serde_json::from_str(&transcribe("verbose_json", "whisper-1")).unwrap();
    assert_eq!(json["segments"][0]["end"], 1.8);
}

#[tokio::test]
async fn options_reach_the_provider() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    let options = ["talk.wav", "--model", "gpt-4o-transcribe", "--language", "de", "--prompt", "Grüße an Jürgen"];
    recordings.transcribe(&options).succeeded();
    let seen = provider.last();
    for (name, value) in [("model", "gpt-4o-transcribe"), ("language", "de"), ("prompt", "Grüße an Jürgen")] {
        assert_eq!(seen.field(name), Some(value), "{name}");
    }
    // The settings do not name it, and with one's own key that is no matter.
    recordings.transcribe(&["talk.wav", "--model", "new-model"]).succeeded();
    assert_eq!(provider.last().field("model"), Some("new-model"));
}

#[tokio::test]
async fn standard_input_is_a_recording() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider);
    let recording = audio::recorded("opus.webm");
    let ran = recordings.transcribe_input(&["-", "--model", "whisper-1"], &recording).succeeded();
    assert_eq!(ran.stdout, format!("{TRANSCRIPT}\n"));
    assert_eq!(provider.last().file().body, recording);
    recordings.transcribe_input(&["-", "--output", "out"], &recording).succeeded();
    assert_eq!(recordings.names("out"), ["stdin.txt"]);
}

#[tokio::test]
async fn words_are_printed_as_they_come() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    let all = events();
    let begin = Framing::PLAIN.all(&all[..3])
        + &Framing::PLAIN.event(&serde_json::json!({
            "type": "transcript.text.delta", "delta": "\n"
        }));
    provider.answer(Reply::stream().send(begin).wait(&gate).send(Framing::PLAIN.all(&all[3..])));
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    let mut running = recordings.start(&["talk.wav", "--stream", "--model", "gpt-4o-transcribe"]);
    let first_words = TRANSCRIPT.split_inclusive(' ').take(3).collect::<String>();
    running.stdout.find("the first words", |line| line.starts_with(first_words.trim_end()).then_some(())).await;
    gate.open();
    assert_eq!(running.ended().await, Some(0), "{}", running.stderr.text());
    assert_eq!(running.stdout.text().replace('\n', "").trim_end(), TRANSCRIPT);
}

#[tokio::test]
async fn a_model_that_does_not_stream_prints_all_words_at_once() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--stream", "--model", "whisper-1"]).succeeded();
    assert_eq!(ran.stdout, format!("{TRANSCRIPT}\n"));
}

#[tokio::test]
async fn without_a_key_there_are_three_ways_to_one() {
    let recordings = Recordings::new().file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav"]);
    ran.was_refused(&["OPENAI_API_KEY", "--url", "make local"]);
    assert_eq!(recordings.names("state"), [""; 0], "it kept something");
}

#[tokio::test]
async fn two_commands_at_once_both_work_and_keep_records() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    let recordings = Recordings::with_key(&provider).file("a.wav", &audio::wav(1500)).file("b.wav", &audio::wav(1500));
    provider.answer(Reply::stream().send(Framing::PLAIN.all(&events())).held_by(&gate));
    let mut first = recordings.start(&["a.wav"]);
    provider.asked(1).await;
    recordings.transcribe(&["b.wav"]).succeeded();
    gate.open();
    assert_eq!(first.ended().await, Some(0), "{}", first.stderr.text());
    for folder in ["state/voxgate", "state/voxgate/beside-2"] {
        let folder = recordings.path(folder);
        let variables = [("VOXGATE_DATA_DIR", folder.to_str().unwrap()), ("OPENAI_API_KEY", KEY)];
        let usage = run(&["usage", "--format", "json"], &variables, &folder);
        let usage: Value = serde_json::from_slice(&usage.stdout).unwrap();
        assert!(usage.to_string().contains("\"transcribe\""), "{usage}");
    }
}
