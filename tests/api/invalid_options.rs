//! Options that cannot be: refused before anything is spent, with the name of the option.

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSLATIONS};

#[tokio::test]
async fn an_option_that_cannot_be_is_named() {
    let gateway = Gateway::start().await;
    let whisper = ("model", "whisper-1");
    let newest = ("model", "gpt-transcribe");
    let diarize = ("model", "gpt-4o-transcribe-diarize");
    let older = ("model", "gpt-4o-transcribe");
    let cases: [(&[(&str, &str)], &str, &str); 24] = [
        (&[("temperature", "1.1")], "invalid_value", "temperature"),
        (&[("temperature", "-0.1")], "invalid_value", "temperature"),
        (&[("temperature", "warm")], "invalid_value", "temperature"),
        (&[("temperature", "NaN")], "invalid_value", "temperature"),
        (&[("response_format", "xml")], "invalid_value", "response_format"),
        (&[older, ("response_format", "srt")], "unsupported_value", "response_format"),
        (&[older, ("response_format", "verbose_json")], "unsupported_value", "response_format"),
        (
            &[newest, ("response_format", "verbose_json"), ("timestamp_granularities[]", "word")],
            "unsupported_value",
            "timestamp_granularities",
        ),
        (&[whisper, ("response_format", "diarized_json")], "unsupported_value", "response_format"),
        (&[whisper, ("timestamp_granularities[]", "word")], "invalid_value", "timestamp_granularities"),
        (
            &[whisper, ("response_format", "verbose_json"), ("timestamp_granularities[]", "phoneme")],
            "invalid_value",
            "timestamp_granularities",
        ),
        (&[newest, ("keywords[]", "two\nlines")], "invalid_value", "keywords"),
        (&[newest, ("keywords[]", "<script>")], "invalid_value", "keywords"),
        (&[newest, ("language", "en"), ("languages[]", "de")], "invalid_value", "languages"),
        (&[newest, ("language", "the Queen's English")], "invalid_value", "language"),
        (&[whisper, ("keywords[]", "Voxgate")], "unsupported_value", "keywords"),
        (&[whisper, ("languages[]", "de")], "unsupported_value", "languages"),
        (&[diarize, ("prompt", "anything")], "unsupported_value", "prompt"),
        (&[("stream", "perhaps")], "invalid_value", "stream"),
        (&[("chunking_strategy", "{\"threshold\":0.5}")], "invalid_value", "chunking_strategy"),
        (&[("chunking_strategy", "{broken")], "invalid_value", "chunking_strategy"),
        (
            &[("chunking_strategy[type]", "server_vad"), ("chunking_strategy[threshold]", "x")],
            "invalid_value",
            "chunking_strategy",
        ),
        (&[diarize, ("known_speaker_names[]", "Ann")], "invalid_value", "known_speaker_references"),
        (&[("include[]", "logprobs"), ("response_format", "text")], "invalid_value", "include"),
    ];
    for (fields, code, param) in cases {
        for file_first in [false, true] {
            let form = if file_first {
                Form::new().file(&audio::wav(300)).fields(fields)
            } else {
                Form::new().fields(fields).file(&audio::wav(300))
            };
            let answer = gateway.transcribe(form).await;
            let error = answer.error();
            let is = (answer.status, error["code"].as_str(), error["param"].as_str());
            assert_eq!(is, (400, Some(code), Some(param)), "{fields:?}: {error}");
            assert_eq!(error["type"], "invalid_request_error", "{fields:?}");
        }
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn the_message_for_a_format_says_which_ones_there_are() {
    let gateway = Gateway::start().await;
    let form = Form::new().fields(&[("model", "gpt-4o-transcribe"), ("response_format", "verbose_json")]);
    let answer = gateway.transcribe(form.file(&audio::wav(300))).await;
    let message = answer.error()["message"].as_str().unwrap().to_owned();
    for word in ["verbose_json", "gpt-4o-transcribe", "'json'", "'text'"] {
        assert!(message.contains(word), "{message}");
    }
}

#[tokio::test]
async fn a_model_that_does_not_translate_says_so() {
    let gateway = Gateway::start().await;
    let form = Form::new().field("model", "gpt-transcribe").file(&audio::wav(300));
    let answer = gateway.send(form.on(gateway.post(TRANSLATIONS))).await;
    answer.is_error(400, "unsupported_value", Some("model"));
}
