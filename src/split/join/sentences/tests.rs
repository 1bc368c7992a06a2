use super::*;
use crate::split::join::place::PiecePlace;

fn voice(stretches: &[(u64, u64)]) -> Voice {
    let voice: Vec<_> = stretches.iter().map(|(start, end)| span(*start, *end)).collect();
    let whole = span(0, stretches.last().map_or(10_000, |last| last.1));
    Voice::of(&PiecePlace { number: 0, last: true, span: whole, voice: &voice })
}

fn span(start: u64, end: u64) -> Span {
    Span { start: Samples::from_ms(start), end: Samples::from_ms(end) }
}

#[test]
fn sentences_end_at_punctuation_before_a_space() {
    for (text, expected) in [
        ("One. Two! Three? Four… Five", &["One.", "Two!", "Three?", "Four…", "Five"][..]),
        ("It costs 3.50 at voxgate.js today.", &["It costs 3.50 at voxgate.js today."]),
        ("He said: \"Stop!\" Then (quietly.) he left.", &["He said: \"Stop!\"", "Then (quietly.)", "he left."]),
        ("你好。今天很好！「真的？」是", &["你好。", "今天很好！", "「真的？」", "是"]),
        ("Wait... what?! Yes", &["Wait...", "what?!", "Yes"]),
        ("one\ntwo", &["one", "two"]),
        ("... . One . . .", &["... . One . . ."]),
        ("نعم؟ لا۔ ठीक है। हाँ", &["نعم؟", "لا۔", "ठीक है।", "हाँ"]),
        ("", &[]),
    ] {
        assert_eq!(sentences(text, 1), expected, "{text}");
    }
}

#[test]
fn time_is_shared_out_by_characters_of_the_voice() {
    // Twelve characters in six seconds of voice; the pause of 100 ms is too short to begin a sentence.
    let timed = timed("abc. efg. ijk.", &voice(&[(1000, 3000), (3100, 7100)]));
    let spans: Vec<_> = timed.iter().map(|sentence| sentence.span).collect();
    assert_eq!(spans, [span(1000, 3000), span(3100, 5100), span(5100, 7100)]);
}

#[test]
fn a_sentence_starts_after_the_nearest_pause_within_reach() {
    // By characters the second sentence starts at 5 s; the pause is 0.9 s before that.
    let near = timed("abcdefg. abcdefg.", &voice(&[(0, 3_500), (4_100, 10_600)]));
    assert_eq!((near[0].span, near[1].span), (span(0, 3_500), span(4_100, 10_600)));
    let far = timed("abcdefg. abcdefg.", &voice(&[(0, 1_000), (2_000, 11_000)]));
    assert_eq!((far[0].span, far[1].span), (span(0, 6_000), span(6_000, 11_000)));
}

#[test]
fn only_the_nearest_sentence_starts_at_a_pause() {
    let timed = timed("abcdefg. abc. abcdefg.", &voice(&[(0, 5_200), (5_400, 10_200)]));
    let starts: Vec<_> = timed.iter().map(|sentence| sentence.span.start).collect();
    assert_eq!(starts[0], Samples::from_ms(0));
    assert!(starts[1] < Samples::from_ms(5_200), "{starts:?}");
    assert_eq!(starts[2], Samples::from_ms(5_400), "{starts:?}");
}

#[test]
fn many_short_sentences_are_few_segments() {
    let text = "a. ".repeat(10_000);
    let timed = timed(&text, &voice(&[(0, 10_000)]));
    assert!((40..=51).contains(&timed.len()), "{}", timed.len());
}
