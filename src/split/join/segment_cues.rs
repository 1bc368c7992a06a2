//! Subtitles of segments that come one after another.

use super::cues::{JoinedCues, Subtitles};
use super::sentences::Sentence;
use super::voice::Voice;
use super::wrap;
use crate::domain::AudioMs;
use crate::speech::{Samples, Span};

/// Subtitles that grow with each segment of a live session.
pub struct SegmentCues(JoinedCues);

impl SegmentCues {
    /// Makes subtitles without a cue.
    pub fn new(kind: Subtitles) -> Self {
        Self(JoinedCues::new(kind))
    }

    /// Adds the words that are spoken from `start` to `end`, and returns their cues: more than one if they do not fit.
    pub fn add(&mut self, text: &str, start: AudioMs, end: AudioMs) -> String {
        let [start, end] = [start, end].map(|time| Samples::from_ms(time.get()));
        let text = text.trim();
        if text.is_empty() {
            return String::new();
        }
        let span = Span { start, end: end.max(start) };
        self.0.add_made(wrap::cues(&Sentence { text, span }, &Voice::throughout(span)))
    }

    /// Returns what is still to be written at the end: the head of subtitles without a cue.
    pub fn finish(&mut self) -> &'static str {
        self.0.missing_head()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_is_a_cue_as_soon_as_it_comes() {
        let mut srt = SegmentCues::new(Subtitles::Srt);
        let first = srt.add(" Good --> morning. ", AudioMs::new(250), AudioMs::new(1800));
        assert_eq!(first, "1\n00:00:00,250 --> 00:00:01,800\nGood -> morning.\n\n");
        let second = srt.add("How are you?", AudioMs::new(3_600_000), AudioMs::new(3_601_000));
        assert_eq!(second, "2\n01:00:00,000 --> 01:00:01,000\nHow are you?\n\n");
        assert_eq!(srt.finish(), "");
    }

    #[test]
    fn a_segment_that_does_not_fit_a_cue_becomes_several() {
        let mut vtt = SegmentCues::new(Subtitles::Vtt);
        let long = "one two three four five six seven eight nine ten ".repeat(6);
        let cues = vtt.add(&long, AudioMs::new(0), AudioMs::new(20_000));
        assert!(cues.starts_with("WEBVTT\n\n00:00:00.000 --> "), "{cues}");
        assert!(cues.matches("-->").count() > 2 && cues.lines().all(|line| line.len() <= 42), "{cues}");
    }

    #[test]
    fn subtitles_of_silence_have_their_head() {
        let mut vtt = SegmentCues::new(Subtitles::Vtt);
        assert_eq!(vtt.add("  ", AudioMs::new(0), AudioMs::new(1)), "");
        assert_eq!(vtt.finish(), "WEBVTT\n\n");
    }
}
