//! Subtitles, and times that are those of the pieces.

use serde_json::json;

use super::setup::{TestPiece, join, piece, request, span};
use crate::domain::terms::Format;
use crate::split::join::{JoinError, Joiner, PiecePlace, Times};

#[test]
fn srt_cues_are_moved_and_numbered_on() {
    let first = "1\n00:00:00,000 --> 00:00:03,319\nThe beach was\n<i>a popular spot</i>\n\n";
    let second =
        "1\r\n00:00:00,500 --> 00:00:01,750\r\non a hot day.\r\n\r\n2\r\n00:00:59,000 --> 00:02:00,000\r\n42\r\n\r\n";
    let pieces = [piece(0, 4000, first), piece(3_599_000, 3_660_000, second)];
    let outcome = join(request(Format::Srt, Times::Model), &pieces, 3_660_000);
    let expected = "1\n00:00:00,000 --> 00:00:03,319\nThe beach was\n<i>a popular spot</i>\n\n\
                    2\n00:59:59,500 --> 01:00:00,750\non a hot day.\n\n\
                    3\n01:00:58,000 --> 01:01:00,000\n42\n\n";
    assert_eq!(outcome.text(), expected);
    assert_eq!((outcome.deltas.as_str(), &outcome.done["text"]), (expected, &json!(expected)));
}

#[test]
fn vtt_keeps_its_head_names_settings_and_stamps() {
    let first = "WEBVTT - by a model\n\nNOTE a comment\n\nSTYLE\n::cue { color: red }\n\n\
                 intro\n00:00.000 --> 00:01.500 align:start\nGood <00:00.700>morning\n\n";
    let second = "WEBVTT\n\nNOTE another\n\n1\n00:00:00.250 --> 00:00:01.000\na <b>1 < 2</b> <00:00:00.500>b\n\n";
    let pieces = [piece(0, 2000, first), piece(10_000, 12_000, second)];
    let outcome = join(request(Format::Vtt, Times::Model), &pieces, 12_000);
    let expected = "WEBVTT - by a model\n\nNOTE a comment\n\nSTYLE\n::cue { color: red }\n\n\
                    intro\n00:00.000 --> 00:01.500 align:start\nGood <00:00.700>morning\n\n\
                    2\n00:00:10.250 --> 00:00:11.000\na <b>1 < 2</b> <00:00:10.500>b\n\n";
    assert_eq!(outcome.text(), expected);
    assert_eq!(outcome.deltas, expected);
}

#[test]
fn text_of_malformed_subtitles_is_kept() {
    for (subtitles, expected) in [
        // A blank line in a cue, no blank line between two, text before the first, no number.
        ("1\n00:00:00,000 --> 00:00:01,000\na\n\nb\n", "1\n00:00:01,000 --> 00:00:02,000\na\nb\n\n"),
        (
            "1\n00:00:00,000 --> 00:00:01,000\na\n2\n00:00:01,000 --> 00:00:02,000\nb",
            "1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:02,000 --> 00:00:03,000\nb\n\n",
        ),
        ("a\n\nb\n00:00:00,000 --> 00:00:01,000\nc", "1\n00:00:01,000 --> 00:00:02,000\na\nb\nc\n\n"),
        (
            "1\n00:00:00,000 --> never\n2\n00:00:00.0 --> 0:0:1.0\na",
            "1\n00:00:01,000 --> 00:00:02,000\n1\n00:00:00,000 --> never\na\n\n",
        ),
        ("1\n00:00:03,000 --> 00:00:01,000\na", "1\n00:00:04,000 --> 00:00:04,000\na\n\n"),
    ] {
        let outcome = join(request(Format::Srt, Times::Model), &[piece(1000, 9000, subtitles)], 9000);
        assert_eq!(outcome.text(), expected, "{subtitles}");
    }
}

/// Two sentences with a pause of half a second between them, and a third right after.
fn spoken() -> TestPiece {
    let text = "Good morning everyone. It is half past three, and version 3.5 is out! Any questions?";
    let mut piece =
        piece(10_000, 20_000, json!({ "text": text, "usage": { "type": "duration", "seconds": 10 } }).to_string());
    piece.voice = vec![(10_200, 12_400), (12_900, 16_000), (16_100, 19_000)];
    piece
}

#[test]
fn segments_of_a_model_without_times_are_its_sentences() {
    let outcome = join(request(Format::VerboseJson, Times::Pieces), &[spoken()], 20_000);
    let segments = outcome.json()["segments"].clone();
    let texts: Vec<_> = segments.as_array().unwrap().iter().map(|segment| segment["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Good morning everyone.", "It is half past three, and version 3.5 is out!", "Any questions?"]);
    assert_eq!(segments[0], json!({ "id": 0, "start": 10.2, "end": 12.4, "text": texts[0] }));
    assert_eq!(segments[1]["start"], 12.9, "a sentence starts after the nearest pause");
    assert_eq!(segments[1]["end"], segments[2]["start"], "a break of 100 ms is no pause");
    assert_eq!(segments[2]["end"], 19.0);
    assert_eq!(outcome.json().get("language"), None);
    assert_eq!(outcome.json()["duration"], 20.0);
    assert_eq!(outcome.done["segments"], segments);
}

#[test]
fn subtitles_of_a_model_without_times_are_wrapped() {
    let outcome = join(request(Format::Srt, Times::Pieces), &[spoken()], 20_000);
    let text = outcome.text();
    let cues: Vec<_> = text.trim_end().split("\n\n").collect();
    assert_eq!(cues[0], "1\n00:00:10,200 --> 00:00:12,400\nGood morning everyone.");
    assert!(cues[1].ends_with("\nIt is half past three,\nand version 3.5 is out!"), "{}", cues[1]);
    assert_eq!(cues.len(), 3);
    assert_eq!(outcome.deltas, text);
    let vtt = join(request(Format::Vtt, Times::Pieces), &[piece(0, 900, r#"{"text":"1 < 2 & 3 --> 4"}"#)], 900);
    assert_eq!(vtt.text(), "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\n1 &lt; 2 &amp; 3 --&gt; 4\n\n");
}

#[test]
fn a_long_sentence_is_divided_by_time_and_width() {
    let text = "The quick brown fox jumps over the lazy dog while the rain keeps falling on the old roof of the house, and \
                nobody in the village seems to notice that the river has been rising since the early morning hours";
    let outcome =
        join(request(Format::Srt, Times::Pieces), &[piece(0, 14_000, json!({ "text": text }).to_string())], 14_000);
    let joined = outcome.text();
    let cues: Vec<Vec<&str>> = joined.trim_end().split("\n\n").map(|cue| cue.lines().collect()).collect();
    assert_eq!(cues.len(), 3);
    for cue in &cues {
        assert!(cue.len() <= 4 && cue[2..].iter().all(|line| line.len() <= 42), "{cue:?}");
    }
    let words: Vec<_> = cues.iter().flat_map(|cue| &cue[2..]).flat_map(|line| line.split(' ')).collect();
    assert_eq!(words.join(" "), text);
    let shortest = cues.iter().map(|cue| cue[2..].concat().len()).min().unwrap();
    assert!(shortest > 40, "no cue is a rest of a few words: {joined}");
}

#[test]
fn lines_of_chinese_and_japanese_have_half_the_characters() {
    let text = "今日はとても良い天気なので、みんなで一緒に公園へ出かけて、大きな木の下でゆっくりとお弁当を食べることにしました。";
    let outcome =
        join(request(Format::Srt, Times::Pieces), &[piece(0, 7000, json!({ "text": text }).to_string())], 7000);
    let joined = outcome.text();
    let lines = joined.lines().filter(|line| line.contains(|c: char| c > '\u{3000}'));
    let lines: Vec<_> = lines.collect();
    assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= 21), "{lines:?}");
    assert!(lines.iter().all(|line| !line.starts_with(['、', '。', 'ー'])), "{lines:?}");
    assert_eq!(lines.concat(), text);
}

#[test]
fn more_lines_than_can_be_said_are_refused() {
    let mut joiner = Joiner::new(request(Format::Srt, Times::Model));
    let body = format!("1\n00:00:00,000 --> 00:00:01,000\n{}", "a\n".repeat(8 * 1024 * 1024));
    let place = PiecePlace { number: 0, last: true, span: span(0, 800_000), voice: &[] };
    assert!(matches!(joiner.add(&place, body.as_bytes()), Err(JoinError::TooLong)));
}
