//! Answers in JSON and text, in the shapes of OpenAI's documentation.

use serde_json::json;

use super::setup::{TestPiece, join, piece, request, span};
use crate::domain::AudioMs;
use crate::domain::terms::Format;
use crate::ledger::Usage;
use crate::split::join::{JoinError, JoinRequest, Joiner, PiecePlace, Times};

fn texts(format: Format, bodies: &[&str]) -> Vec<TestPiece> {
    let body =
        |text: &&str| if format == Format::Json { json!({ "text": text }).to_string() } else { (*text).to_owned() };
    (0..).zip(bodies).map(|(number, text)| piece(number * 1000, number * 1000 + 1000, body(text))).collect()
}

fn joined_text(bodies: &[&str]) -> String {
    join(request(Format::Json, Times::Model), &texts(Format::Json, bodies), 9000).json()["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn one_space_stands_between_pieces_unless_the_script_has_none() {
    for (pieces, expected) in [
        (&["Good morning.", "How are you?"][..], "Good morning. How are you?"),
        (&["Good morning. ", " \nHow are you?"], "Good morning. How are you?"),
        (&["a", "", " \n", "b"], "a b"),
        (&["", "b"], "b"),
        (&["你好。", "世界"], "你好。世界"),
        (&["你好", "世界"], "你好世界"),
        (&["カタカナ", "ひらがな"], "カタカナひらがな"),
        (&["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (&["안녕하세요", "여러분"], "안녕하세요 여러분"),
        (&["你好", "world"], "你好 world"),
        (&["Привет.", "Мир"], "Привет. Мир"),
    ] {
        assert_eq!(joined_text(pieces), expected);
    }
}

#[test]
fn a_text_ends_as_the_last_answer_does() {
    let request = request(Format::Text, Times::Model);
    let outcome = join(request, &texts(Format::Text, &["Good morning.\n", "How are you?\n", "\n"]), 3000);
    assert_eq!(outcome.text(), "Good morning. How are you?\n");
    assert_eq!(outcome.deltas, "Good morning. How are you?\n");
    assert_eq!(outcome.done, json!({ "type": "transcript.text.done", "text": "Good morning. How are you?\n" }));
    assert_eq!(outcome.joined.content_type(), "text/plain; charset=utf-8");
}

#[test]
fn json_has_all_logprobs_and_the_sum_of_tokens() {
    let usage = |audio: u64, text: u64, output: u64| {
        json!({ "type": "tokens", "input_tokens": audio + text, "input_token_details": { "text_tokens": text,
            "audio_tokens": audio }, "output_tokens": output, "total_tokens": audio + text + output })
    };
    let logprob = |token: &str| json!({ "token": token, "logprob": -0.1, "bytes": [72] });
    let body = |text: &str, usage: serde_json::Value| json!({ "text": text, "logprobs": [logprob(text)], "languages": [{ "code": "en" }], "id": text, "usage": usage });
    let pieces = [
        piece(0, 1000, body("One", usage(14, 3, 5)).to_string()),
        piece(1000, 2000, body("two", usage(20, 3, 7)).to_string()),
    ];
    let outcome = join(request(Format::Json, Times::Model), &pieces, 2000);
    let expected = json!({ "text": "One two", "languages": [{ "code": "en" }], "logprobs": [logprob("One"), logprob("two")],
        "usage": usage(34, 6, 12) });
    assert_eq!(outcome.json(), expected);
    assert_eq!(outcome.joined.usage(), Usage::Tokens { input: 40, output: 12 });
    assert_eq!(outcome.done["logprobs"], expected["logprobs"]);
    assert_eq!(outcome.done["usage"], expected["usage"]);
}

#[test]
fn usage_is_seconds_unless_every_piece_reports_tokens() {
    let tokens = r#"{"text":"a","usage":{"type":"tokens","input_tokens":14,"output_tokens":5,"total_tokens":19}}"#;
    let seconds = r#"{"text":"a","usage":{"type":"duration","seconds":3}}"#;
    let none = r#"{"text":"a"}"#;
    let duration = |seconds: serde_json::Value| json!({ "type": "duration", "seconds": seconds });
    for (bodies, expected, ms) in [
        ([seconds, seconds], duration(json!(6)), 6000),
        ([seconds, tokens], duration(json!(5.5)), 5500),
        ([none, seconds], duration(json!(5.5)), 5500),
        ([none, none], json!(null), 5000),
    ] {
        let pieces = [piece(0, 2500, bodies[0]), piece(2500, 5000, bodies[1])];
        let outcome = join(request(Format::Json, Times::Model), &pieces, 5000);
        assert_eq!(outcome.json()["usage"], expected, "{bodies:?}");
        assert_eq!(outcome.joined.usage(), Usage::Length(AudioMs::new(ms)), "{bodies:?}");
    }
}

#[test]
fn segments_and_words_are_moved_to_their_true_times() {
    let segment = |id: u64, start: f64, end: f64, text: &str| {
        json!({ "id": id, "seek": 0, "start": start, "end": end, "text": text, "tokens": [50364, 2425],
            "temperature": 0.0, "avg_logprob": -0.286, "compression_ratio": 1.236, "no_speech_prob": 0.009 })
    };
    let body = |text: &str, segments: serde_json::Value, words: serde_json::Value| {
        json!({ "task": "transcribe", "language": "english", "duration": 2.0, "text": text, "segments": segments,
            "words": words, "usage": { "type": "duration", "seconds": 2 } })
        .to_string()
    };
    let word = |word: &str, start: f64, end: f64| json!({ "word": word, "start": start, "end": end });
    let first = body(
        "One two.",
        json!([segment(0, 0.0, 1.319_999_933, " One"), segment(1, 1.32, 2.0, " two.")]),
        json!([word("One", 0.0, 0.5)]),
    );
    let second = body("Three.", json!([segment(0, 0.1, 5.0, " Three.")]), json!([word("Three", 0.1, 0.77)]));
    let mut pieces = [piece(0, 2000, first), piece(30_250, 33_000, second)];
    pieces[1].voice = vec![(30_300, 31_000)];
    let outcome = join(request(Format::VerboseJson, Times::Model), &pieces, 40_000);
    let mut third = segment(2, 30.35, 31.0, " Three.");
    third["seek"] = json!(3025);
    assert_eq!(
        outcome.json(),
        json!({
            "task": "transcribe", "language": "english", "duration": 40.0, "text": "One two. Three.",
            "segments": [segment(0, 0.0, 1.319_999_933, " One"), segment(1, 1.32, 2.0, " two."), third],
            "words": [word("One", 0.0, 0.5), word("Three", 30.35, 31.02)],
            "usage": { "type": "duration", "seconds": 4 },
        })
    );
    assert!(outcome.text().contains("1.319999933,"), "a time that is not moved keeps its digits");
    assert!(outcome.text().contains(r#""start":30.35,"#), "a time that is moved has milliseconds");
    assert_eq!(outcome.done["segments"], outcome.json()["segments"]);
    assert_eq!(outcome.deltas, "One two. Three.");
}

#[test]
fn a_segment_that_starts_in_a_pause_starts_with_the_voice_after_it() {
    let voice = vec![(10_400, 12_000), (12_700, 12_900), (13_500, 15_000), (18_000, 20_000)];
    for (start, end, expected, why) in [
        (0.0, 1.9, 10.4, "before the voice of the piece"),
        (2.0, 4.0, 12.7, "where a pause begins"),
        (2.5, 4.0, 12.7, "in a pause"),
        (1.7, 4.0, 12.7, "300 ms before a pause"),
        (1.6, 4.0, 11.6, "earlier than that"),
        (2.7, 4.0, 12.7, "where the voice begins"),
        (2.75, 4.0, 12.75, "at the beginning of a short word"),
        (2.85, 4.0, 13.5, "at the end of a short word"),
        (2.3, 2.7, 12.3, "no voice before the end"),
        (5.9, 9.0, 15.9, "voice only after more than two seconds"),
        (6.0, 9.0, 18.0, "voice after two seconds"),
        (10.0, 10.0, 20.0, "after the voice"),
    ] {
        let segment = json!({ "id": 0, "start": start, "end": end, "text": "a" });
        let word = json!({ "word": "a", "start": start, "end": end });
        let body = json!({ "text": "a", "segments": [segment], "words": [word] }).to_string();
        let piece = TestPiece { voice: voice.clone(), ..piece(10_000, 20_500, body) };
        let answer = join(request(Format::VerboseJson, Times::Model), &[piece], 30_000).json();
        assert_eq!(answer["segments"][0]["start"], expected, "{why}");
        assert!(answer["segments"][0]["end"].as_f64().unwrap() >= expected, "{why}");
        assert_eq!(answer["words"][0]["start"], 10.0 + start, "words stay: {why}");
    }
}

#[test]
fn a_segment_with_words_starts_where_the_model_says() {
    for (words, expected) in [(json!([{ "word": "a", "start": 0.5, "end": 1 }]), 1.5), (json!([]), 2.0)] {
        let segment = json!({ "id": 0, "start": 0.5, "end": 2, "text": "a", "words": words });
        let body = json!({ "text": "a", "segments": [segment] }).to_string();
        let piece = TestPiece { voice: vec![(2000, 3000)], ..piece(1000, 3000, body) };
        let answer = join(request(Format::VerboseJson, Times::Model), &[piece], 9000).json();
        assert_eq!(answer["segments"][0]["start"], expected);
    }
}

#[test]
fn words_inside_segments_are_moved_too() {
    let body = r#"{"text":"a b","segments":[{"id":0,"start":0,"end":1,"text":"a b","words":[{"word":"a","start":0,"end":0.25},{"word":"b"}]}]}"#;
    let outcome = join(request(Format::VerboseJson, Times::Model), &[piece(5000, 6000, body)], 9000);
    assert_eq!(
        outcome.json()["segments"],
        json!([{ "id": 0, "start": 5.0, "end": 6.0, "text": "a b",
        "words": [{ "word": "a", "start": 5.0, "end": 5.25 }, { "word": "b" }] }])
    );
}

#[test]
fn the_language_is_that_of_the_longest_part() {
    let body = |language: &str| format!(r#"{{"text":"a","language":"{language}","segments":[]}}"#);
    let pieces = [piece(0, 1000, body("welsh")), piece(1000, 9000, body("english"))];
    let outcome = join(request(Format::VerboseJson, Times::Model), &pieces, 9000);
    assert_eq!(outcome.json()["language"], "english");
    let outcome = join(request(Format::Json, Times::Model), &pieces, 9000);
    assert_eq!(outcome.json().get("language"), None, "JSON has the members that all pieces agree on");
}

#[test]
fn speakers_are_named_after_their_piece_unless_they_are_known() {
    let segment = |id: &str, start: f64, end: f64, speaker: &str| json!({ "type": "transcript.text.segment", "id": id, "start": start, "end": end, "text": "Hi.", "speaker": speaker });
    let body = json!({ "task": "transcribe", "duration": 2.0, "text": "Hi. Hi.", "segments": [
        segment("seg_001", 0.0, 0.9, "A"), segment("seg_002", 0.9, 1.8, "agent")],
        "usage": { "type": "duration", "seconds": 2 } });
    let body = body.to_string();
    let known = JoinRequest { known_speakers: vec!["agent".to_owned()], ..request(Format::DiarizedJson, Times::Model) };
    let pieces = [piece(0, 2000, body.clone()), piece(2000, 4000, body.clone())];
    let outcome = join(known.clone(), &pieces, 4000);
    let segments = json!([
        segment("1:seg_001", 0.0, 0.9, "1:A"),
        segment("1:seg_002", 0.9, 1.8, "agent"),
        segment("2:seg_001", 2.0, 2.9, "2:A"),
        segment("2:seg_002", 2.9, 3.8, "agent"),
    ]);
    assert_eq!(
        outcome.json(),
        json!({ "task": "transcribe", "duration": 4.0, "text": "Hi. Hi. Hi. Hi.",
        "segments": segments, "usage": { "type": "duration", "seconds": 4 } })
    );
    assert_eq!(json!(outcome.segment_events), segments);
    assert_eq!(outcome.done.get("segments"), None, "segments of speakers have events of their own");
    // A recording that is one piece, but not from its first sample on.
    let outcome = join(known, &[piece(1000, 3000, body)], 4000);
    assert_eq!(
        outcome.json()["segments"],
        json!([segment("seg_001", 1.0, 1.9, "A"), segment("seg_002", 1.9, 2.8, "agent")])
    );
}

#[test]
fn a_recording_without_speech_has_an_empty_transcript() {
    let usage = json!({ "type": "duration", "seconds": 0 });
    for (format, expected) in [
        (Format::Json, json!({ "text": "", "usage": usage })),
        (
            Format::VerboseJson,
            json!({ "task": "transcribe", "language": "de", "duration": 1.5, "text": "",
            "segments": [], "usage": usage }),
        ),
        (
            Format::DiarizedJson,
            json!({ "task": "transcribe", "duration": 1.5, "text": "", "segments": [], "usage": usage }),
        ),
    ] {
        let request = JoinRequest { language: Some("de".to_owned()), ..request(format, Times::Model) };
        let outcome = join(request, &[], 1500);
        assert_eq!(outcome.json(), expected);
        assert_eq!((outcome.deltas.as_str(), &outcome.done["text"]), ("", &json!("")));
    }
    for (format, expected) in [(Format::Text, ""), (Format::Srt, ""), (Format::Vtt, "WEBVTT\n\n")] {
        let outcome = join(request(format, Times::Model), &[], 1500);
        assert_eq!(outcome.text(), expected);
        assert_eq!(outcome.done["text"], outcome.deltas);
    }
}

#[test]
fn an_answer_that_is_no_transcript_changes_nothing() {
    use Format as F;
    let segment = |rest: &str| format!(r#"{{"text":"a","segments":[{{"id":0,"start":0,"end":1}},{rest}]}}"#);
    for (format, body, expected) in [
        (F::Json, String::new(), JoinError::NotJson),
        (F::Json, "[]".to_owned(), JoinError::NotJson),
        (F::Json, "{}".to_owned(), JoinError::NoText),
        (F::Json, r#"{"text":null}"#.to_owned(), JoinError::NoText),
        (F::VerboseJson, segment("1"), JoinError::NoTimes),
        (F::VerboseJson, segment(r#"{"start":0}"#), JoinError::NoTimes),
        (F::VerboseJson, segment(r#"{"start":0,"end":"1"}"#), JoinError::NoTimes),
        (F::DiarizedJson, segment(r#"{"end":1}"#), JoinError::NoTimes),
        (F::Srt, "no subtitles".to_owned(), JoinError::NoCues),
        (F::Vtt, "WEBVTT\n\nno subtitles".to_owned(), JoinError::NoCues),
    ] {
        let mut joiner = Joiner::new(request(format, Times::Model));
        let place = PiecePlace { number: 0, last: true, span: span(0, 1000), voice: &[] };
        assert_eq!(joiner.add(&place, body.as_bytes()).err(), Some(expected), "{body}");
        let partial = joiner.partial();
        assert_eq!((partial.text.as_str(), partial.segments.is_none()), ("", true), "{body}");
    }
}

#[test]
fn an_answer_longer_than_can_be_said_is_refused() {
    use Format as F;
    use Times as T;
    // The maximum for a piece of one second.
    const MAX: usize = 10_200;
    let text = |count| json!({ "text": "a".repeat(count) }).to_string();
    let items =
        |name: &str, count| json!({ "text": "a", name: vec![json!({ "start": 0, "end": 1 }); count] }).to_string();
    let inner = |count| {
        let segment = json!({ "start": 0, "end": 1, "words": vec![json!({ "start": 0, "end": 1 }); count / 2 - 1] });
        json!({ "text": "a", "segments": [segment.clone(), segment] }).to_string()
    };
    let cues = |count| format!("00:00:00,0 --> 00:00:01,0\n{}", "a\n".repeat(count - 1));
    let bodies: [(_, _, &dyn Fn(usize) -> String); 8] = [
        (F::Srt, T::Pieces, &text),
        (F::Vtt, T::Pieces, &text),
        (F::VerboseJson, T::Pieces, &text),
        (F::VerboseJson, T::Model, &|count| items("segments", count)),
        (F::VerboseJson, T::Model, &|count| items("words", count)),
        (F::VerboseJson, T::Model, &inner),
        (F::DiarizedJson, T::Model, &|count| items("segments", count)),
        (F::Srt, T::Model, &cues),
    ];
    for (index, (format, times, body)) in bodies.into_iter().enumerate() {
        let place = PiecePlace { number: 0, last: true, span: span(0, 1000), voice: &[] };
        let mut joiner = Joiner::new(request(format, times));
        assert_eq!(joiner.add(&place, body(MAX + 2).as_bytes()).err(), Some(JoinError::TooLong), "{index}");
        assert_eq!(joiner.partial().text, "", "{index}: nothing of it is taken");
        assert!(joiner.add(&place, body(MAX).as_bytes()).is_ok(), "{index}");
    }
    let mut joiner = Joiner::new(request(F::Json, T::Model));
    let place = PiecePlace { number: 0, last: true, span: span(0, 1000), voice: &[] };
    assert!(joiner.add(&place, text(MAX * 10).as_bytes()).is_ok(), "a text without times goes through as it is");
}

#[test]
fn what_was_heard_can_be_given_before_the_end() {
    let verbose = r#"{"text":"Good.","segments":[{"id":0,"start":0.0,"end":1.0,"text":"Good."}]}"#;
    let mut joiner = Joiner::new(request(Format::VerboseJson, Times::Model));
    let place = PiecePlace { number: 0, last: false, span: span(0, 1000), voice: &[] };
    joiner.add(&place, verbose.as_bytes()).unwrap();
    let partial = json!({ "text": "Good.", "segments": [{ "id": 0, "start": 0.0, "end": 1.0, "text": "Good." }] });
    assert_eq!(serde_json::to_value(joiner.partial()).unwrap(), partial);
    let mut joiner = Joiner::new(request(Format::Json, Times::Model));
    joiner.add(&place, verbose.as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(joiner.partial()).unwrap(), json!({ "text": "Good." }));
}
