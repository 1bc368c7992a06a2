//! Pieces whose provider streams.

use serde_json::json;
use serde_json::value::RawValue;

use super::setup::{outcome, request, span};
use crate::domain::AudioMs;
use crate::domain::terms::Format;
use crate::split::join::{JoinError, Joiner, PiecePlace, Times};

const FIRST: PiecePlace<'_> = PiecePlace {
    number: 0,
    last: false,
    span: crate::speech::Span { start: crate::speech::Samples::new(0), end: crate::speech::Samples::from_ms(2000) },
    voice: &[],
};

fn second() -> PiecePlace<'static> {
    PiecePlace { number: 1, last: true, span: span(2000, 4000), voice: &[] }
}

#[test]
fn deltas_go_out_as_they_come_with_one_space_at_the_seam() {
    let mut joiner = Joiner::new(request(Format::Json, Times::Model));
    let logprobs = RawValue::from_string(r#"[{"token":"Good"}]"#.to_owned()).unwrap();
    let mut events = Vec::new();
    events.extend(joiner.push_delta("Good", Some(&logprobs)));
    events.extend(joiner.push_delta(" morning. ", None));
    assert_eq!(
        events,
        [
            r#"{"type":"transcript.text.delta","delta":"Good","logprobs":[{"token":"Good"}]}"#,
            r#"{"type":"transcript.text.delta","delta":" morning."}"#,
        ]
    );
    let done = r#"{"type":"transcript.text.done","text":"Good morning. Well","usage":{"type":"duration","seconds":2}}"#;
    events.extend(joiner.end_streamed(&FIRST, done.as_bytes()).unwrap().into_events());
    assert_eq!(joiner.push_delta(" ", None), None);
    events.extend(joiner.push_delta(" how", None));
    events.extend(joiner.end_streamed(&second(), br#"{"text":"  how","usage":{"seconds":2}}"#).unwrap().into_events());
    let transcript = joiner.finish(AudioMs::new(4000));
    events.extend(transcript.closing_events());
    let outcome = outcome(transcript, &events);
    assert_eq!(outcome.deltas, "Good morning. Well how");
    assert_eq!(outcome.done["text"], outcome.deltas);
    assert_eq!(outcome.done["usage"], json!({ "seconds": 4 }));
    assert_eq!(outcome.done["logprobs"], json!([{ "token": "Good" }]), "of the deltas, as the ends have none");
}

#[test]
fn white_space_that_waits_brings_its_logprobs_with_the_next_delta() {
    let logprobs = |token: &str| RawValue::from_string(json!([{ "token": token }]).to_string()).unwrap();
    let mut joiner = Joiner::new(request(Format::Json, Times::Model));
    assert_eq!(joiner.push_delta("\n", Some(&logprobs("\n"))), None);
    let event = joiner.push_delta("Good", Some(&logprobs("Good"))).unwrap();
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    assert_eq!(
        (&event["delta"], &event["logprobs"]),
        (&json!("\nGood"), &json!([{ "token": "\n" }, { "token": "Good" }]))
    );
    assert_eq!(joiner.push_delta(" ", Some(&logprobs(" "))), None);
    let event = joiner.push_delta("day", None).unwrap();
    assert!(event.ends_with(r#""delta":" day","logprobs":[{"token":" "}]}"#), "{event}");
    joiner.end_streamed(&FIRST, br#"{"text":"\nGood day"}"#).unwrap();
    let end: serde_json::Value = serde_json::from_slice(joiner.finish(AudioMs::new(2000)).answer()).unwrap();
    assert_eq!(end["logprobs"].as_array().unwrap().len(), 3);
}

#[test]
fn only_a_delta_of_a_whole_piece_has_its_logprobs() {
    let done = br#"{"text":"Good morning","logprobs":[{"token":"Good"},{"token":" morning"}]}"#;
    let mut joiner = Joiner::new(request(Format::Json, Times::Model));
    joiner.push_delta("Good", None).unwrap();
    let events = joiner.end_streamed(&FIRST, done).unwrap().into_events();
    assert_eq!(events, [r#"{"type":"transcript.text.delta","delta":" morning"}"#]);
    let events = joiner.add(&second(), done).unwrap().into_events();
    assert_eq!(
        events,
        [concat!(
            r#"{"type":"transcript.text.delta","delta":" Good morning","#,
            r#""logprobs":[{"token":"Good"},{"token":" morning"}]}"#
        )]
    );
    let end: serde_json::Value = serde_json::from_slice(joiner.finish(AudioMs::new(4000)).answer()).unwrap();
    assert_eq!(end["logprobs"].as_array().unwrap().len(), 4);
}

#[test]
fn deltas_stand_where_the_end_of_the_stream_differs() {
    let mut joiner = Joiner::new(request(Format::Text, Times::Model));
    joiner.push_delta("Good mourning", None).unwrap();
    let added = joiner.end_streamed(&FIRST, br#"{"text":"Good morning"}"#).unwrap();
    assert_eq!(added.delta, "");
    assert_eq!(joiner.finish(AudioMs::new(2000)).answer(), "Good mourning");
}

#[test]
fn a_broken_stream_is_completed_by_an_answer_that_begins_alike() {
    let mut joiner = Joiner::new(request(Format::Json, Times::Model));
    joiner.push_delta("Good", None).unwrap();
    assert_eq!(joiner.add(&FIRST, br#"{"text":"God"}"#).err(), Some(JoinError::Differs));
    assert_eq!(joiner.add(&FIRST, br#"{"text":"Good morning"}"#).unwrap().delta, " morning");
    assert_eq!(joiner.add(&second(), br#"{"text":"all"}"#).unwrap().delta, " all");
}

#[test]
fn segments_of_speakers_go_out_as_they_come() {
    let mut joiner = Joiner::new(request(Format::DiarizedJson, Times::Model));
    let segment =
        br#"{"type":"transcript.text.segment","id":"seg_0","start":0.5,"end":1.5,"text":"Hi.","speaker":"A"}"#;
    let place = PiecePlace { number: 1, ..second() };
    let moved = joiner.push_segment(&place, segment).unwrap();
    let expected = json!({ "type": "transcript.text.segment", "id": "2:seg_0", "start": 2.5, "end": 3.5, "text": "Hi.", "speaker": "2:A" });
    assert_eq!(moved, expected.to_string());
    let done = br#"{"type":"transcript.text.done","text":"Hi.","segments":[]}"#;
    assert_eq!(joiner.end_streamed(&place, done).unwrap().into_events().len(), 1, "the text, which no delta had");
    let answer = joiner.finish(AudioMs::new(4000));
    let answer: serde_json::Value = serde_json::from_slice(answer.answer()).unwrap();
    assert_eq!(answer["segments"], json!([expected]));
}

#[test]
fn only_answers_with_the_models_own_text_are_taken_as_streams() {
    for (format, times, expected) in [
        (Format::Json, Times::Model, true),
        (Format::Json, Times::Pieces, true),
        (Format::Text, Times::Pieces, true),
        (Format::VerboseJson, Times::Model, true),
        (Format::VerboseJson, Times::Pieces, false),
        (Format::Srt, Times::Model, false),
        (Format::Vtt, Times::Pieces, false),
    ] {
        assert_eq!(Joiner::new(request(format, times)).takes_streams(), expected, "{format} {times:?}");
    }
}
