//! Options reach the provider as OpenAI takes them, and those that the gateway has never heard of reach it too.

use serde_json::json;

use crate::support::audio;
use crate::support::form::{Form, json_on};
use crate::support::gateway::{Gateway, PROMPT, Setup, TRANSCRIPTIONS};

#[tokio::test]
async fn repeated_names_stay_repeated() {
    let gateway = Gateway::start().await;
    let form = Form::new()
        .fields(&[("model", "gpt-transcribe"), ("languages[]", "en"), ("languages[]", "de")])
        .fields(&[("keywords[]", "Voxgate"), ("keywords[]", "zwölf Boxkämpfer"), ("prompt", PROMPT)])
        .file(&audio::wav(300));
    assert_eq!(gateway.transcribe(form).await.status, 200);
    let seen = gateway.provider.last();
    let values = |name| -> Vec<_> {
        seen.fields().into_iter().filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).collect()
    };
    assert_eq!(values("languages[]"), ["en", "de"]);
    assert_eq!(values("keywords[]"), ["Voxgate", "zwölf Boxkämpfer"]);
    assert_eq!(values("prompt"), [PROMPT]);
}

#[tokio::test]
async fn a_list_is_the_same_in_json_in_a_form_and_in_a_query() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let pairs = [
        ("model", "whisper-1"),
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("temperature", "0.2"),
    ];
    let json = json!({
        "model": "whisper-1", "response_format": "verbose_json", "timestamp_granularities": ["word", "segment"],
        "temperature": 0.2, "audio": base64(&audio), "filename": "speech.wav", "language": null,
    });
    let requests = [
        Form::new().fields(&pairs).file(&audio).on(gateway.post(TRANSCRIPTIONS)),
        json_on(gateway.post(TRANSCRIPTIONS), &json),
        gateway.post(TRANSCRIPTIONS).query(&pairs).header("content-type", "audio/wav").body(audio.clone()),
    ];
    for request in requests {
        let got = gateway.send(request).await;
        assert_eq!(got.status, 200, "{}", got.text());
        let seen = gateway.provider.last();
        let mut fields = seen.fields();
        fields.sort_unstable();
        let mut expected = pairs;
        expected.sort_unstable();
        assert_eq!(fields, expected);
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn base64_may_use_either_alphabet_with_or_without_padding() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    let gateway = Gateway::start().await;
    let mut audio = audio::wav(300);
    // Bytes that are written differently in the two alphabets, and a length that needs padding.
    audio[44..60].copy_from_slice(&[
        0xfb, 0xff, 0xbf, 0xfe, 0xff, 0xfb, 0xef, 0xbe, 0xfb, 0xff, 0xbf, 0xfe, 0xff, 0xfb, 0xef, 0xbe,
    ]);
    let texts = [
        STANDARD.encode(&audio),
        STANDARD_NO_PAD.encode(&audio),
        URL_SAFE.encode(&audio),
        URL_SAFE_NO_PAD.encode(&audio),
    ];
    for text in texts {
        let got = gateway.send(json_on(gateway.post(TRANSCRIPTIONS), &json!({ "audio": text }))).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(gateway.provider.last().file().body == audio);
    }
}

#[tokio::test]
async fn chunking_strategy_may_be_a_word_brackets_or_json() {
    let gateway = Gateway::start().await;
    let brackets = [
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.6"),
        ("chunking_strategy[silence_duration_ms]", "250"),
    ];
    let text = r#"{"type":"server_vad","threshold":0.6,"silence_duration_ms":250}"#;
    let cases: [(&[(&str, &str)], &[(&str, &str)]); 3] = [
        (&[("chunking_strategy", "auto")], &[("chunking_strategy", "auto")]),
        (&brackets, &brackets),
        (&[("chunking_strategy", text)], &brackets),
    ];
    for (sent, expected) in cases {
        let form = Form::new().field("model", "gpt-transcribe").fields(sent).file(&audio::wav(300));
        let got = gateway.transcribe(form).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(&gateway.provider.last().fields()[1..], expected);
    }
    let object = json!({ "type": "server_vad", "threshold": 0.6, "silence_duration_ms": 250 });
    let body = json!({ "model": "gpt-transcribe", "audio": base64(&audio::wav(300)), "chunking_strategy": object });
    assert_eq!(gateway.send(json_on(gateway.post(TRANSCRIPTIONS), &body)).await.status, 200);
    assert_eq!(&gateway.provider.last().fields()[1..], brackets);
}

#[tokio::test]
async fn an_option_that_the_gateway_does_not_know_is_passed_on() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let news = [("mood", "cheerful"), ("voices[]", "a"), ("voices[]", "b"), ("detail[level]", "3")];
    let form = Form::new().field("model", "gpt-transcribe").fields(&news).file(&audio);
    assert_eq!(gateway.transcribe(form).await.status, 200);
    assert_eq!(&gateway.provider.last().fields()[1..], news);
    let body = json!({
        "model": "gpt-transcribe", "audio": base64(&audio),
        "mood": "cheerful", "voices": ["a", "b"], "detail": { "level": 3 },
    });
    assert_eq!(gateway.send(json_on(gateway.post(TRANSCRIPTIONS), &body)).await.status, 200);
    assert_eq!(&gateway.provider.last().fields()[1..], news);
}

#[tokio::test]
async fn an_explicit_stream_false_is_no_stream() {
    let gateway = Gateway::start().await;
    for value in ["false", "null", ""] {
        let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", value)]).file(&audio::wav(300));
        let got = gateway.transcribe(form).await;
        assert_eq!(got.header("content-type"), Some("application/json"), "stream={value}");
        assert!(gateway.provider.last().field("stream").is_none_or(|stream| stream == "false"));
    }
}

#[tokio::test]
async fn a_model_is_asked_for_by_the_name_that_its_provider_has_for_it() {
    let toml = "[models.house-model]\nprovider = \"openai\"\nupstream_model = \"Systran/faster-whisper-small\"\n";
    let gateway = Setup::new().config(toml).start().await;
    let got = gateway.transcribe(Form::new().field("model", "house-model").file(&audio::wav(300))).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(gateway.provider.last().field("model"), Some("Systran/faster-whisper-small"));
}
