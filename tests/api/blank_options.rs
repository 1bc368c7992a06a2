//! An option that is there and blank was left out, whichever option it is and however it was sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::{Map, Value, json};

use crate::support::audio;
use crate::support::form::{Form, json_on};
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};

/// Every option that the gateway knows, as a form names it.
const OPTIONS: [&str; 14] = [
    "model",
    "response_format",
    "stream",
    "language",
    "prompt",
    "temperature",
    "languages[]",
    "keywords[]",
    "include[]",
    "timestamp_granularities[]",
    "chunking_strategy",
    "chunking_strategy[type]",
    "known_speaker_names[]",
    "known_speaker_references[]",
];

/// The same request as a form, as JSON and with a query.
fn requests(gateway: &Gateway, fields: &[(&str, &str)]) -> [(&'static str, RequestBuilder); 3] {
    let audio = audio::wav(300);
    let mut members: Map<String, Value> = Map::new();
    members.insert("audio".to_owned(), STANDARD.encode(&audio).into());
    for (name, value) in fields {
        if let Some(list) = name.strip_suffix("[]") {
            let items = members.entry(list).or_insert_with(|| json!([]));
            items.as_array_mut().unwrap().push(json!(value));
        } else if let Some((object, member)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            members.entry(object).or_insert_with(|| json!({}))[member] = json!(value);
        } else {
            members.insert((*name).to_owned(), json!(value));
        }
    }
    [
        ("form", Form::new().fields(fields).file(&audio).on(gateway.post(TRANSCRIPTIONS))),
        ("JSON", json_on(gateway.post(TRANSCRIPTIONS), &Value::Object(members))),
        ("query", gateway.post(TRANSCRIPTIONS).query(fields).header("content-type", "audio/wav").body(audio)),
    ]
}

#[tokio::test]
async fn every_option_may_be_blank_in_every_body_form() {
    let gateway = Gateway::start().await;
    let served = |blank: &'static str| OPTIONS.map(|option| vec![(option, blank)]);
    let all = vec![OPTIONS[..10].iter().map(|option| (*option, "")).collect::<Vec<_>>()];
    for fields in served("").into_iter().chain(served(" ")).chain(all) {
        for (form, request) in requests(&gateway, &fields) {
            let got = gateway.send(request).await;
            assert_eq!(got.status, 200, "{fields:?} as {form}: {}", got.text());
            // Nothing but the default model is asked for.
            assert_eq!(gateway.provider.last().fields(), [("model", "gpt-transcribe")], "{fields:?} as {form}");
        }
    }
}

#[tokio::test]
async fn a_blank_item_takes_nothing_from_the_others() {
    let gateway = Gateway::start().await;
    let fields = [
        ("languages[]", ""),
        ("languages[]", "de"),
        ("languages[]", ""),
        ("keywords[]", "Voxgate"),
        ("keywords[]", ""),
    ];
    for (form, request) in requests(&gateway, &fields) {
        assert_eq!(gateway.send(request).await.status, 200, "{form}");
        let seen = gateway.provider.last();
        let expected = [("model", "gpt-transcribe"), ("languages[]", "de"), ("keywords[]", "Voxgate")];
        assert_eq!(seen.fields(), expected, "{form}");
    }
}

/// A form that a page fills has each of its inputs once, blank or not, and a template may add the option itself.
#[tokio::test]
async fn a_blank_option_is_no_repetition_and_no_conflict() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    for fields in [
        [("language", ""), ("language", "en"), ("languages[]", "")],
        [("language", "en"), ("languages[]", ""), ("language", "")],
    ] {
        assert_eq!(gateway.transcribe(Form::new().fields(&fields).file(&audio)).await.status, 200, "{fields:?}");
        assert_eq!(gateway.provider.last().fields(), [("model", "gpt-transcribe"), ("language", "en")]);
    }
}

/// Names and references belong together by their places: one that is left out would give the next to another speaker.
#[tokio::test]
async fn a_blank_among_speakers_is_not_passed_over() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let reference = "data:audio/wav;base64,UklGRg==";
    let fields = [
        ("model", "gpt-4o-transcribe-diarize"),
        ("known_speaker_names[]", ""),
        ("known_speaker_names[]", "Bob"),
        ("known_speaker_references[]", reference),
        ("known_speaker_references[]", ""),
    ];
    let got = gateway.transcribe(Form::new().fields(&fields).file(&audio)).await;
    got.is_error(400, "invalid_value", Some("known_speaker_names"));
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn an_option_that_the_gateway_does_not_know_stays_as_it_came() {
    let gateway = Gateway::start().await;
    for (form, request) in requests(&gateway, &[("mood", "")]) {
        assert_eq!(gateway.send(request).await.status, 200, "{form}");
        assert_eq!(gateway.provider.last().fields(), [("model", "gpt-transcribe"), ("mood", "")], "{form}");
    }
}
