//! Every body form, every format, streamed or not: one and the same request to the provider, one and the same answer.

use serde_json::Value;

use crate::support::audio;
use crate::support::form::{BodyForm, Form, chunked};
use crate::support::gateway::{Gateway, TRANSCRIPTIONS, TRANSLATIONS};
use crate::support::provider::{Framing, TRANSCRIPT, answer, events};

/// Each model with the formats that it has, and whether the provider can stream it.
const MODELS: [(&str, &[&str], bool); 3] = [
    ("gpt-transcribe", &["json", "text"], true),
    ("gpt-4o-transcribe-diarize", &["json", "text", "diarized_json"], true),
    ("whisper-1", &["json", "text", "srt", "verbose_json", "vtt"], false),
];

fn combinations() -> impl Iterator<Item = (BodyForm, &'static str, &'static str, bool)> {
    let rows = MODELS.iter().flat_map(|(model, formats, streams)| formats.iter().map(move |f| (*model, *f, *streams)));
    BodyForm::ALL.into_iter().flat_map(move |form| rows.clone().map(move |(model, f, s)| (form, model, f, s)))
}

/// What every request must have become, however it was sent.
fn provider_was_asked(gateway: &Gateway, model: &str, format: &str, streamed: bool, audio: &[u8], case: &str) {
    let seen = gateway.provider.last();
    let mut fields = seen.fields();
    fields.sort_unstable();
    let mut expected = vec![("language", "en"), ("model", model), ("response_format", format)];
    if streamed {
        expected.push(("stream", "true"));
    }
    assert_eq!(fields, expected, "{case}");
    assert!(seen.file().body == audio, "{case}: the audio was changed");
    assert_eq!(seen.file().file_name.as_deref(), Some("audio.wav"), "{case}");
    assert_eq!(seen.file().content_type.as_deref(), Some("audio/wav"), "{case}");
}

fn options<'a>(model: &'a str, format: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("model", model), ("response_format", format), ("language", "en")]
}

/// The diarizing model takes no language in the built-in table, so the table of the tests lets it.
const ANY_OPTION: &str = "[models.\"gpt-4o-transcribe-diarize\"]\noptions = [\"language\"]\n";

async fn gateway() -> Gateway {
    crate::support::gateway::Setup::new().config(ANY_OPTION).start().await
}

#[tokio::test]
async fn whole_answers_come_byte_for_byte_from_every_body_form() {
    let gateway = gateway().await;
    let audio = audio::wav(300);
    for (form, model, format, _) in combinations() {
        let case = format!("{form:?} {model} {format}");
        let request = gateway.post(TRANSCRIPTIONS);
        let got = gateway.send(form.on(request, &options(model, format), &audio)).await;
        let (content_type, body) = answer(format);
        assert_eq!(got.status, 200, "{case}: {}", got.text());
        assert_eq!(got.header("content-type"), Some(content_type), "{case}");
        assert_eq!(got.text(), body, "{case}");
        provider_was_asked(&gateway, model, format, false, &audio, &case);
    }
}

#[tokio::test]
async fn streams_come_from_every_body_form() {
    let gateway = gateway().await;
    let audio = audio::wav(300);
    for (form, model, format, streams) in combinations() {
        let case = format!("{form:?} {model} {format}");
        let request = gateway.post(TRANSCRIPTIONS);
        let with_stream = [options(model, format), vec![("stream", "true")]].concat();
        let got = gateway.send(form.on(request, &with_stream, &audio)).await;
        assert_eq!(got.status, 200, "{case}: {}", got.text());
        is_stream_of(&got, streams, format, &case);
        provider_was_asked(&gateway, model, format, streams, &audio, &case);
    }
}

#[tokio::test]
async fn accepting_events_asks_for_a_stream_in_every_body_form() {
    let gateway = gateway().await;
    let audio = audio::wav(300);
    for (form, model, format, streams) in combinations() {
        let case = format!("{form:?} {model} {format}");
        let request = gateway.post(TRANSCRIPTIONS).header("accept", "text/event-stream, application/json;q=0.5");
        let got = gateway.send(form.on(request, &options(model, format), &audio)).await;
        assert_eq!(got.status, 200, "{case}: {}", got.text());
        is_stream_of(&got, streams, format, &case);
        provider_was_asked(&gateway, model, format, streams, &audio, &case);
    }
}

/// The provider's own stream verbatim, or the events that its whole answer stands for; `[DONE]` after either.
fn is_stream_of(got: &crate::support::gateway::Answer, streams: bool, format: &str, case: &str) {
    if streams {
        assert_eq!(got.text(), Framing::PLAIN.all(&events()) + "data: [DONE]\n\n", "{case}");
        return;
    }
    let data = got.events();
    assert_eq!(data.last().map(String::as_str), Some("[DONE]"), "{case}");
    let done: Value = serde_json::from_str(&data[data.len() - 2]).unwrap();
    assert_eq!(done["type"], "transcript.text.done", "{case}");
    let text = match format {
        "json" | "verbose_json" => TRANSCRIPT.to_owned(),
        _ => answer(format).1,
    };
    assert_eq!(done["text"], text, "{case}");
    if format == "json" {
        assert_eq!(done["usage"]["input_tokens"], 14, "{case}");
    }
}

#[tokio::test]
async fn translations_take_every_body_form_and_have_their_own_path() {
    let gateway = gateway().await;
    let audio = audio::wav(300);
    for form in BodyForm::ALL {
        for format in ["json", "text", "srt", "verbose_json", "vtt"] {
            let request = gateway.post(TRANSLATIONS);
            let got =
                gateway.send(form.on(request, &[("model", "whisper-1"), ("response_format", format)], &audio)).await;
            assert_eq!((got.status, got.text()), (200, answer(format).1.as_str()), "{form:?} {format}");
            assert_eq!(gateway.provider.last().path, TRANSLATIONS);
        }
    }
}

#[tokio::test]
async fn parts_may_come_in_any_order_and_any_chunking() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(40);
    let orders = [
        Form::new().field("model", "gpt-transcribe").file(&audio).field("language", "en"),
        Form::new().file(&audio).field("language", "en").field("model", "gpt-transcribe"),
        Form::new().field("language", "en").field("model", "gpt-transcribe").file(&audio),
    ];
    for form in orders {
        let bytes = form.bytes();
        for size in [1, 7, 64, 1 << 20] {
            let request = gateway.post(TRANSCRIPTIONS).header("content-type", Form::content_type());
            let got = gateway.send(request.body(chunked(&bytes, size))).await;
            assert_eq!(got.status, 200, "{}", got.text());
            assert_eq!(gateway.provider.last().fields().len(), 2);
            assert!(gateway.provider.last().file().body == audio);
        }
    }
}

#[tokio::test]
async fn a_request_that_names_no_model_gets_the_default_one() {
    let gateway = Gateway::start().await;
    let got = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(gateway.provider.last().fields(), [("model", "gpt-transcribe")]);
}

/// Browsers, object stores and web servers have several types for one recording.
#[tokio::test]
async fn a_body_is_a_recording_by_any_type_that_one_may_have() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    for content_type in [
        "audio/wav",
        "audio/x-anything",
        "video/webm;codecs=opus",
        "application/octet-stream",
        "binary/octet-stream",
        "application/ogg",
        "Application/MP4; codecs=mp4a.40.2",
    ] {
        let request = gateway.post(TRANSCRIPTIONS).header("content-type", content_type).body(audio.clone());
        let got = gateway.send(request).await;
        assert_eq!(got.status, 200, "{content_type}: {}", got.text());
        assert!(gateway.provider.last().file().body == audio);
    }
}

/// As an editor pastes it, or a template indents it.
#[tokio::test]
async fn a_data_url_may_stand_behind_blanks() {
    use base64::Engine;
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let url = format!("data:audio/wav;base64,{}", base64::engine::general_purpose::STANDARD.encode(&audio));
    for blank in [" ", "\n", "  \t\r\n"] {
        let body = serde_json::json!({ "audio": format!("{blank}{url}{blank}") }).to_string();
        let request = gateway.post(TRANSCRIPTIONS).header("content-type", "application/json").body(body);
        let got = gateway.send(request).await;
        assert_eq!(got.status, 200, "{blank:?}: {}", got.text());
        assert!(gateway.provider.last().file().body == audio);
    }
}
