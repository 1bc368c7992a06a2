//! Laws that hold for any answers.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::setup::{TestPiece, join, request};
use crate::domain::terms::Format;
use crate::properties::cases;
use crate::split::join::Times;
use crate::split::join::stamp::Stamp;

const LENGTH: u64 = 400_000;

fn formats() -> impl Strategy<Value = (Format, Times)> {
    use Format as F;
    use Times as T;
    proptest::sample::select(vec![
        (F::Json, T::Model),
        (F::Text, T::Model),
        (F::VerboseJson, T::Model),
        (F::DiarizedJson, T::Model),
        (F::Srt, T::Model),
        (F::Vtt, T::Model),
        (F::Json, T::Pieces),
        (F::VerboseJson, T::Pieces),
        (F::Srt, T::Pieces),
        (F::Vtt, T::Pieces),
    ])
}

/// Texts in several scripts, with the ends of sentences.
fn text() -> impl Strategy<Value = String> {
    let words = [
        "Good",
        "morning",
        "I",
        "3.5",
        "…",
        "?!",
        "\"Yes.\"",
        "好的。",
        "東京ー",
        "สวัสดี",
        "\n",
        "a-very-long-word-".repeat(4).leak(),
    ];
    let word = proptest::sample::select(words.map(str::to_owned).to_vec());
    let joint = proptest::sample::select(vec![" ", "", ". ", ", ", "  "]);
    vec((word, joint), 0..60).prop_map(|parts| parts.into_iter().map(|(word, joint)| word + joint).collect())
}

/// A time in an answer: mostly a credible one.
fn time() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..40.0_f64, 1 => -5.0..1e12_f64, 1 => Just(0.0)]
}

fn timed_items() -> impl Strategy<Value = Value> {
    let item = (time(), time(), any::<u8>(), text());
    vec(item, 0..8).prop_map(|items| {
        let item = |(start, end, id, text): (f64, f64, u8, String)| {
            json!({ "id": id, "seek": 0, "start": start, "end": end, "text": text, "word": text, "speaker": "A" })
        };
        items.into_iter().map(item).collect()
    })
}

/// The voice in a piece, by the lengths of pauses and stretches.
fn voice(start: u64, end: u64, lengths: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut stretches = Vec::new();
    let mut at = start;
    for (pause, length) in lengths {
        let stretch = (at + pause, (at + pause + length).min(end));
        if stretch.0 < stretch.1 {
            stretches.push(stretch);
        }
        at += pause + length;
    }
    stretches
}

/// Pieces of a recording of `LENGTH`, in order, with answers made by `bodies`.
fn pieces<S: Strategy<Value = Vec<u8>>>(bodies: impl Fn() -> S) -> impl Strategy<Value = Vec<TestPiece>> {
    let piece = (0..9_000_u64, 1..40_000_u64, vec((1..3_000_u64, 1..9_000_u64), 0..6), bodies());
    vec(piece, 1..6).prop_map(|parts| {
        let mut at = 0;
        let mut pieces = Vec::new();
        for (gap, length, stretches, body) in parts {
            let (start, end) = (at + gap, at + gap + length);
            pieces.push(TestPiece { start, end, voice: voice(start, end, &stretches), body });
            at = end;
        }
        pieces
    })
}

fn json_bodies() -> impl Strategy<Value = Vec<u8>> {
    (text(), timed_items(), timed_items()).prop_map(|(text, segments, words)| {
        json!({ "text": text, "language": "english", "segments": segments, "words": words }).to_string().into_bytes()
    })
}

fn stamp(seconds: f64) -> String {
    let mut stamp = String::new();
    let ms = format!("{:.0}", seconds.clamp(0.0, 4e6) * 1000.0).parse().unwrap();
    Stamp { time: crate::domain::AudioMs::new(ms), hours: true }.write(',', &mut stamp);
    stamp
}

fn subtitle_bodies() -> impl Strategy<Value = Vec<u8>> {
    let cue = (time(), time(), text());
    vec(cue, 0..8).prop_map(|cues| {
        let cue =
            |(start, end, text): (f64, f64, String)| format!("7\n{} --> {}\n{text}\n\n", stamp(start), stamp(end));
        cues.into_iter().map(cue).collect::<String>().into_bytes()
    })
}

/// Bodies of any kind: nonsense, JSON of other shapes, and transcripts.
fn any_bodies() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let names =
        ["text", "segments", "words", "usage", "start", "end", "id", "speaker", "logprobs", "language", "seek", "x"];
    let name = proptest::sample::select(names.map(str::to_owned).to_vec());
    let value = leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    prop_oneof![
        vec(any::<u8>(), 0..200),
        ".{0,200}".prop_map(String::into_bytes),
        "[0-9:,.\\-> <\r\nWEBVTNO]{0,200}".prop_map(String::into_bytes),
        value.prop_map(|value| value.to_string().into_bytes()),
        json_bodies(),
        subtitle_bodies(),
    ]
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The cues of subtitles: start and end in milliseconds, and the lines.
fn cues(subtitles: &str) -> Vec<(u64, u64, Vec<&str>)> {
    let mut cues: Vec<(u64, u64, Vec<&str>)> = Vec::new();
    for block in subtitles.split("\n\n").filter(|block| !block.is_empty()) {
        let mut lines = block.lines().skip(1);
        let (start, end) = lines.next().unwrap().split_once(" --> ").unwrap();
        let ms = |text| Stamp::parse(text).unwrap().time.get();
        cues.push((ms(start), ms(end), lines.collect()));
    }
    cues
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn any_answers_join_to_a_whole_transcript((format, times) in formats(), pieces in pieces(any_bodies)) {
        let outcome = join(request(format, times), &pieces, LENGTH);
        prop_assert_eq!(outcome.done["text"].as_str().unwrap(), outcome.deltas.as_str());
        // A single answer is the body as it came, which may not even be UTF-8.
        if pieces.len() > 1 && format.is_json() {
            prop_assert_eq!(&outcome.json()["text"], &json!(outcome.deltas));
        }
    }

    #[test]
    fn the_text_of_every_piece_is_in_the_joined_text((format, times) in formats(), pieces in pieces(json_bodies)) {
        prop_assume!(request(format, times).piece_format().is_json());
        let outcome = join(request(format, times), &pieces, LENGTH);
        let texts = pieces.iter().map(|piece| serde_json::from_slice::<Value>(&piece.body).unwrap());
        let expected: String = texts.map(|answer| without_space(answer["text"].as_str().unwrap())).collect();
        let joined = match format {
            Format::Srt => cues(&outcome.text()).into_iter().flat_map(|cue| cue.2).collect(),
            Format::Vtt => return Ok(()),
            _ => outcome.deltas,
        };
        prop_assert_eq!(without_space(&joined), expected);
    }

    #[test]
    fn times_are_in_order_and_within_their_pieces(times in prop_oneof![Just(Times::Model), Just(Times::Pieces)],
            pieces in pieces(json_bodies)) {
        let answer = join(request(Format::VerboseJson, times), &pieces, LENGTH).json();
        for kind in ["segments", "words"] {
            let mut earliest = 0.0;
            for item in answer[kind].as_array().into_iter().flatten() {
                let (start, end) = (item["start"].as_f64().unwrap(), item["end"].as_f64().unwrap());
                prop_assert!(earliest <= start && start <= end, "{earliest} {item}");
                let inside = |piece: &TestPiece| {
                    let ms = |time: f64| time * 1000.0 + 1e-6;
                    ms(start) >= f64::from(u32::try_from(piece.start).unwrap())
                        && ms(end) <= f64::from(u32::try_from(piece.end).unwrap()) + 0.01
                };
                prop_assert!(pieces.len() == 1 || pieces.iter().any(inside), "{item} is in no piece");
                earliest = start;
            }
        }
        let ids: Vec<_> = answer["segments"].as_array().unwrap().iter().map(|segment| segment["id"].as_u64().unwrap()).collect();
        prop_assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    }

    #[test]
    fn cues_of_a_model_are_in_order_and_keep_their_text(pieces in pieces(subtitle_bodies)) {
        let outcome = join(request(Format::Srt, Times::Model), &pieces, LENGTH);
        prop_assume!(pieces.len() > 1);
        let joined = outcome.text();
        let (mut earliest, mut texts) = (0, String::new());
        for (start, end, lines) in cues(&joined) {
            prop_assert!(earliest <= start && start <= end);
            prop_assert!(pieces.iter().any(|piece| piece.start <= start && end <= piece.end));
            earliest = start;
            texts.extend(lines);
        }
        let bodies: String = pieces.iter().map(|piece| String::from_utf8(piece.body.clone()).unwrap()).collect();
        let is_text = |line: &&str| !line.contains("-->") && *line != "7";
        let expected: String = bodies.lines().filter(is_text).collect();
        prop_assert_eq!(without_space(&texts), without_space(&expected));
    }

    #[test]
    fn made_cues_are_short_narrow_and_in_order(pieces in pieces(json_bodies)) {
        let joined = join(request(Format::Srt, Times::Pieces), &pieces, LENGTH).text();
        let mut earliest = 0;
        for (start, end, lines) in cues(&joined) {
            prop_assert!(earliest <= start && start <= end && end - start <= 7_000, "{start} {end}");
            prop_assert!(pieces.iter().any(|piece| piece.start <= start && end <= piece.end), "{start} {end}");
            prop_assert!((1..=2).contains(&lines.len()), "{lines:?}");
            prop_assert!(lines.iter().all(|line| line.width() <= 42 && !line.trim().is_empty()), "{lines:?}");
            earliest = start;
        }
    }

    #[test]
    fn joining_is_the_identity_for_one_whole_piece((format, times) in formats(), body in json_bodies(),
            subtitles in subtitle_bodies()) {
        let request = request(format, times);
        prop_assume!(request.piece_format() == format);
        let is_subtitles = matches!(format, Format::Srt | Format::Vtt);
        let body = if is_subtitles { subtitles } else { body };
        let whole = TestPiece { start: 0, end: LENGTH, voice: vec![(0, LENGTH)], body };
        let outcome = join(request, std::slice::from_ref(&whole), LENGTH);
        prop_assert_eq!(outcome.joined.answer(), &whole.body);
    }

    #[test]
    fn a_moved_time_is_the_time_in_the_piece_plus_its_start(start in 1..1_000_000_u64, at in 0..30_000_u64) {
        let seconds = |ms: u64| f64::from(u32::try_from(ms).unwrap()) / 1000.0;
        let item = json!({ "word": "a", "start": seconds(at), "end": seconds(at) });
        let body = json!({ "text": "a", "words": [item] }).to_string();
        let pieces = [TestPiece { start, end: start + 30_000, voice: vec![(start, start + 30_000)], body: body.into() }];
        let words = join(request(Format::VerboseJson, Times::Model), &pieces, 2_000_000).json()["words"].clone();
        prop_assert_eq!(&words[0]["start"], &json!(seconds(start + at)));
    }
}
