//! Recordings that are none.

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};

#[tokio::test]
async fn what_is_no_recording_is_refused_whatever_it_is_called() {
    let gateway = Gateway::start().await;
    let text = "This is a text that somebody has renamed. ".repeat(100);
    let cases: [(&str, Vec<u8>); 7] = [
        ("text", text.clone().into_bytes()),
        ("one byte", vec![0]),
        ("zeros", vec![0; 100_000]),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0".to_vec()),
        ("a page", b"<!doctype html><html><body>404</body></html>".to_vec()),
        ("the start of a WAV and no more", audio::wav(300)[..20].to_vec()),
        ("a WAV of text", [b"RIFF\x10\0\0\0AVI ".as_slice(), text.as_bytes()].concat()),
    ];
    for (name, bytes) in cases {
        for (file_name, content_type) in [("speech.mp3", "audio/mpeg"), ("upload", "application/octet-stream")] {
            let answer = gateway.transcribe(Form::new().named_file(file_name, content_type, &bytes)).await;
            let error = answer.error();
            let is = (answer.status, error["code"].as_str(), error["param"].as_str());
            assert_eq!(is, (400, Some("invalid_audio"), Some("file")), "{name}: {error}");
        }
    }
    let request = gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav").body(Vec::new());
    gateway.send(request).await.is_error(400, "invalid_audio", Some("file"));
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_film_without_sound_is_refused() {
    let gateway = Gateway::start().await;
    let film = audio::recorded("video-only.mp4");
    gateway.transcribe(Form::new().named_file("film.mp4", "video/mp4", &film)).await.is_error(
        400,
        "invalid_audio",
        Some("file"),
    );
}
