//! Recordings in every container: known by content, measured, and sent on under a name that fits.

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Setup, TRANSCRIPTIONS};

/// A row of `tests/media/lengths.tsv`.
struct Recording {
    file: String,
    container: String,
    codec: String,
    ms: f64,
}

fn recordings() -> Vec<Recording> {
    let table = std::fs::read_to_string(audio::media().join("lengths.tsv")).unwrap();
    let row = |line: &str| {
        let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [file, container, codec, ms] = cells.try_into().unwrap();
        Recording { file, container, codec, ms: ms.parse().unwrap() }
    };
    table.lines().skip(1).map(row).collect()
}

#[tokio::test]
async fn a_recording_is_known_by_its_content_whatever_it_is_called() {
    // Each goes on as it came, even what this provider would hear only the beginning of.
    let gateway = Setup::new().env("VOXGATE_SPEECH__SPLIT", "false").start().await;
    let recordings = recordings();
    assert!(recordings.len() >= 10);
    for recording in recordings {
        let audio = audio::recorded(&recording.file);
        for (file_name, content_type) in [
            (recording.file.as_str(), "application/octet-stream"),
            ("upload", "application/octet-stream"),
            ("blob", "audio/webm;codecs=opus"),
            ("wrong.mp3", "audio/mpeg"),
        ] {
            let got = gateway.transcribe(Form::new().named_file(file_name, content_type, &audio)).await;
            assert_eq!(got.status, 200, "{}: {}", recording.file, got.text());
            let seen = gateway.provider.last();
            let name = seen.file().file_name.clone().unwrap();
            assert_eq!(name, format!("audio.{}", recording.container), "{}", recording.file);
            assert!(seen.file().body == audio, "{}", recording.file);
            let record = gateway.log.request(got.request_id()).await;
            assert_eq!(record["container"], recording.container, "{}", recording.file);
            assert_eq!(record["codec"], recording.codec, "{}", recording.file);
            let measured = record["audio_ms"].as_f64().unwrap_or_else(|| panic!("{}: {record}", recording.file));
            // What encoders put around the sound counts.
            let (short, long) = ((recording.ms * 0.01).max(100.0), (recording.ms * 0.02).max(300.0));
            let close = recording.ms - short..=recording.ms + long;
            assert!(close.contains(&measured), "{}: {measured} ms", recording.file);
        }
    }
}

#[tokio::test]
async fn a_recording_that_its_model_cannot_take_costs_nothing() {
    let toml = "[models.\"gpt-4o-transcribe\"]\nmax_seconds = 1\n[speech]\nsplit = false\n";
    let gateway = Setup::new().config(toml).start().await;
    for (ms, code) in [(1500, "audio_too_long"), (50, "audio_too_short")] {
        let form = Form::new().field("model", "gpt-4o-transcribe").file(&audio::wav(ms));
        gateway.transcribe(form).await.is_error(400, code, Some("file"));
    }
    assert_eq!(gateway.provider.requests(), 0);
    let form = Form::new().field("model", "gpt-4o-transcribe").file(&audio::wav(900));
    assert_eq!(gateway.transcribe(form).await.status, 200);
}

#[tokio::test]
async fn the_largest_recording_passes_and_one_byte_more_does_not() {
    let gateway = Setup::new().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400").start().await;
    let largest = audio::wav_of_bytes(26_214_400);
    let raw = |audio: &[u8]| gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav").body(audio.to_vec());
    let got = gateway.send(raw(&largest)).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(gateway.provider.last().file().body == largest);
    let form = Form::new().file(&largest);
    assert_eq!(gateway.transcribe(form).await.status, 200);

    let larger = audio::wav_of_bytes(26_214_401);
    let refused = gateway.send(raw(&larger)).await;
    let said = "Maximum content size limit (26214400) exceeded: 26214401 bytes were announced.";
    assert_eq!(refused.error()["message"], said);
    refused.is_error(413, "file_too_large", Some("file"));
    gateway.transcribe(Form::new().file(&larger)).await.is_error(413, "file_too_large", Some("file"));
    let chunked = crate::support::form::chunked(&larger, 1 << 16);
    let request = gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav").body(chunked);
    gateway.send(request).await.is_error(413, "file_too_large", Some("file"));
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn a_recording_over_the_length_of_its_plan_or_of_the_gateway_costs_nothing() {
    let toml = "[speech]\nmax_recording_seconds = 3\n[plans.brief]\nmax_recording_seconds = 1\n";
    let gateway = Setup::new().config(toml).start().await;
    for (plan, ms, allowed) in [
        ("brief", 1001, "audio duration 1.001 seconds is longer than the 1.000 seconds that your plan 'brief' allows."),
        ("default", 3001, "audio duration 3.001 seconds is longer than the 3.000 seconds that this gateway allows."),
    ] {
        let account = Account::of(plan, plan);
        let refused = account.transcribe(&gateway, ms).await;
        assert_eq!(refused.error()["message"], allowed);
        refused.is_error(400, "audio_too_long", Some("file"));
        assert_eq!(account.transcribe(&gateway, ms - 1).await.status, 200, "{plan}");
    }
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn a_file_over_the_size_of_its_model_is_refused_where_nothing_is_split() {
    let toml = "[models.whisper-1]\nmax_bytes = 10000\n[speech]\nsplit = false\n";
    let gateway = Setup::new().config(toml).start().await;
    let of = |bytes| Form::new().field("model", "whisper-1").file(&audio::wav_of_bytes(bytes));
    let refused = gateway.transcribe(of(10_002)).await;
    let said = "Maximum content size limit (10000) of model 'whisper-1' exceeded: the recording has 10002 bytes.";
    assert_eq!(refused.error()["message"], said);
    refused.is_error(413, "file_too_large", Some("file"));
    assert_eq!(gateway.transcribe(of(10_000)).await.status, 200);
    assert_eq!(gateway.provider.requests(), 1);
}
