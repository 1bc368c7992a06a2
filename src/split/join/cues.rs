//! Subtitles, `SubRip` and `WebVTT`.

use super::error::JoinError;
use super::stamp::Stamp;
use super::times::PieceClock;
use crate::domain::AudioMs;

/// The kinds of subtitles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subtitles {
    /// `SubRip`: `.srt`.
    Srt,
    /// `WebVTT`: `.vtt`.
    Vtt,
}

/// The cues of all pieces.
pub(super) struct JoinedCues {
    kind: Subtitles,
    text: String,
    /// The number of cues.
    count: u64,
    /// The start of the last cue, before which no other starts.
    earliest: AudioMs,
}

/// A cue, as it came or as it was made.
pub(super) struct Cue {
    /// The line above the times of a `WebVTT` cue, if there is one.
    identifier: Option<String>,
    start: Stamp,
    end: Stamp,
    /// The text after the times on their line.
    settings: String,
    /// The lines, each with its end. They are in one string: a text may have as many lines as characters.
    text: String,
}

impl Cue {
    /// Makes a cue of plain text.
    pub(super) fn plain(start: AudioMs, end: AudioMs, lines: &[String]) -> Self {
        let stamp = |time| Stamp { time, hours: true };
        let text = lines.iter().flat_map(|line| [line, "\n"]).collect();
        Self { identifier: None, start: stamp(start), end: stamp(end), settings: String::new(), text }
    }
}

impl JoinedCues {
    /// Makes subtitles without a cue.
    pub(super) fn new(kind: Subtitles) -> Self {
        Self { kind, text: String::new(), count: 0, earliest: AudioMs::new(0) }
    }

    /// Appends the subtitles of a piece, and returns what they add to the text.
    pub(super) fn add(&mut self, subtitles: &str, clock: &PieceClock) -> Result<String, JoinError> {
        if subtitles.lines().nth(clock.max_said()).is_some() {
            return Err(JoinError::TooLong);
        }
        let mut parser = Parser::new(self.kind);
        for block in blocks(subtitles) {
            parser.block(block);
        }
        let parsed = parser.finish()?;
        let mut added = String::new();
        if self.text.is_empty() && !parsed.cues.is_empty() {
            added.push_str(&parsed.head);
        }
        for cue in parsed.cues {
            self.write_moved(cue, clock, &mut added);
        }
        Ok(self.append(added))
    }

    /// Appends cues whose times are those of the recording, and returns what they add to the text.
    pub(super) fn add_made(&mut self, cues: Vec<Cue>) -> String {
        let mut added = String::new();
        for cue in cues {
            let text = escaped(self.kind, &cue.text);
            self.write(&Cue { text, ..cue }, &mut added);
        }
        self.append(added)
    }

    /// Returns the text so far.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the whole text, and what is still to be added to what was: the head of subtitles without a cue.
    pub(super) fn finish(mut self) -> (String, String) {
        let rest = self.missing_head();
        self.text.push_str(rest);
        (self.text, rest.to_owned())
    }

    /// Returns the head of subtitles without a cue.
    pub(super) fn missing_head(&self) -> &'static str {
        if self.text.is_empty() && self.kind == Subtitles::Vtt { VTT_HEAD } else { "" }
    }

    fn append(&mut self, mut added: String) -> String {
        let has_head = self.kind == Subtitles::Srt || !self.text.is_empty() || added.starts_with(VTT_MARK);
        if !has_head && !added.is_empty() {
            added.insert_str(0, VTT_HEAD);
        }
        self.text.push_str(&added);
        added
    }

    fn write_moved(&mut self, cue: Cue, clock: &PieceClock, text: &mut String) {
        let moved = |stamp: Stamp| Stamp { time: clock.moved_ms(stamp.time), ..stamp };
        let lines = match self.kind {
            Subtitles::Srt => cue.text,
            Subtitles::Vtt => with_moved_stamps(&cue.text, clock),
        };
        self.write(&Cue { start: moved(cue.start), end: moved(cue.end), text: lines, ..cue }, text);
    }

    fn write(&mut self, cue: &Cue, text: &mut String) {
        let start = Stamp { time: cue.start.time.max(self.earliest), ..cue.start };
        let end = Stamp { time: cue.end.time.max(start.time), ..cue.end };
        self.earliest = start.time;
        self.count = self.count.saturating_add(1);
        let number = self.count.to_string();
        // Names of WebVTT cues stay, numbers do not.
        let identifier = match (self.kind, cue.identifier.as_deref()) {
            (Subtitles::Srt, _) => Some(number.as_str()),
            (Subtitles::Vtt, Some(name)) if is_number(name) => Some(number.as_str()),
            (Subtitles::Vtt, name) => name,
        };
        let point = if self.kind == Subtitles::Srt { ',' } else { '.' };
        if let Some(identifier) = identifier {
            text.push_str(identifier);
            text.push('\n');
        }
        start.write(point, text);
        text.push_str(" --> ");
        end.write(point, text);
        text.push_str(&cue.settings);
        text.push('\n');
        text.push_str(&cue.text);
        text.push('\n');
    }
}

const VTT_MARK: &str = "WEBVTT";
const VTT_HEAD: &str = "WEBVTT\n\n";

/// A parser of subtitles that loses no text: what belongs to no cue is added to the one before it, or to the first.
struct Parser {
    kind: Subtitles,
    is_first_block: bool,
    /// The head of `WebVTT`, and the comments and styles before the first cue.
    head: String,
    cues: Vec<Cue>,
    /// Lines before the first cue.
    stray: String,
}

struct Parsed {
    head: String,
    cues: Vec<Cue>,
}

impl Parser {
    fn new(kind: Subtitles) -> Self {
        Self { kind, is_first_block: true, head: String::new(), cues: Vec::new(), stray: String::new() }
    }

    /// Takes the lines between two blank ones.
    fn block(&mut self, block: &str) {
        let is_first = std::mem::replace(&mut self.is_first_block, false);
        if self.kind == Subtitles::Vtt && begins_other_block(block, is_first) {
            let is_before_cues = self.cues.is_empty() && self.stray.is_empty();
            if is_before_cues {
                for line in lines(block) {
                    self.head.push_str(line);
                    self.head.push('\n');
                }
                self.head.push('\n');
            }
            return;
        }
        // The line above the times is a number or a name, unless it is text of the cue before.
        let mut above: Option<&str> = None;
        for (index, line) in lines(block).enumerate() {
            if let Some((start, end, settings)) = times(line) {
                let text_above = above.take();
                let is_label = |line: &&str| is_number(line) || self.kind == Subtitles::Vtt && index == 1;
                let label = text_above.filter(is_label);
                if label.is_none() {
                    self.text(text_above);
                }
                let identifier = label.map(str::to_owned);
                self.cues.push(Cue { identifier, start, end, settings, text: std::mem::take(&mut self.stray) });
            } else {
                self.text(above.replace(line));
            }
        }
        self.text(above);
    }

    fn text(&mut self, line: Option<&str>) {
        let text = self.cues.last_mut().map_or(&mut self.stray, |cue| &mut cue.text);
        if let Some(line) = line {
            text.push_str(line);
            text.push('\n');
        }
    }

    fn finish(self) -> Result<Parsed, JoinError> {
        if self.stray.is_empty() { Ok(Parsed { head: self.head, cues: self.cues }) } else { Err(JoinError::NoCues) }
    }
}

/// Returns true for the head of a `WebVTT` file, and for comments, styles and regions.
fn begins_other_block(block: &str, is_first: bool) -> bool {
    let first = lines(block).next().unwrap_or_default();
    let word = first.split([' ', '\t']).next().unwrap_or_default();
    let is_other = matches!(word, "NOTE" | "STYLE" | "REGION") || is_first && word == VTT_MARK;
    is_other && !lines(block).any(|line| times(line).is_some())
}

/// Splits subtitles at blank lines.
fn blocks(subtitles: &str) -> impl Iterator<Item = &str> {
    let mut rest = subtitles;
    std::iter::from_fn(move || {
        let is_blank = |line: &str| line.trim().is_empty();
        let size = |lines: &mut dyn Iterator<Item = &str>| lines.map(str::len).sum::<usize>();
        let (_, from) =
            rest.split_at_checked(size(&mut rest.split_inclusive('\n').take_while(|line| is_blank(line))))?;
        let count = size(&mut from.split_inclusive('\n').take_while(|line| !is_blank(line)));
        let (block, after) = from.split_at_checked(count)?;
        rest = after;
        (!block.is_empty()).then_some(block)
    })
}

/// Returns the lines of a block.
fn lines(block: &str) -> impl Iterator<Item = &str> {
    block.lines().map(|line| line.trim_end_matches('\r'))
}

/// Parses the line of a cue's times: start, end, and what follows.
fn times(line: &str) -> Option<(Stamp, Stamp, String)> {
    let (start, rest) = line.split_once("-->")?;
    let rest = rest.trim_start();
    let end = rest.split([' ', '\t']).next()?;
    let settings = rest.strip_prefix(end)?.trim_end();
    Some((Stamp::parse(start.trim())?, Stamp::parse(end)?, settings.to_owned()))
}

/// Moves the stamps in a `WebVTT` line, which tell when its words are spoken: `<00:00:01.500>`.
fn with_moved_stamps(line: &str, clock: &PieceClock) -> String {
    const MAX_STAMP_BYTES: usize = 20;
    let mut moved = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, tag_on)) = rest.split_once('<') {
        moved.push_str(before);
        moved.push('<');
        rest = tag_on;
        let Some(close) = tag_on.bytes().take(MAX_STAMP_BYTES).position(|byte| byte == b'>') else { continue };
        let Some((tag, after)) = tag_on.split_at_checked(close) else { continue };
        let Some(stamp) = Stamp::parse(tag) else { continue };
        Stamp { time: clock.moved_ms(stamp.time), ..stamp }.write('.', &mut moved);
        rest = after;
    }
    moved.push_str(rest);
    moved
}

/// Writes plain text as a line of a cue, so that nothing in it is taken for a tag or for times.
fn escaped(kind: Subtitles, line: &str) -> String {
    match kind {
        Subtitles::Srt => line.replace("-->", "->"),
        Subtitles::Vtt => line.replace('&', "&amp;").replace('<', "&lt;").replace("-->", "--&gt;"),
    }
}

fn is_number(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_many_lines_is_held_once() {
        const LINES: usize = 100_000;
        let subtitles = format!("1\n00:00:00,000 --> 00:00:01,000\n{}", "a\n".repeat(LINES));
        let mut parser = Parser::new(Subtitles::Srt);
        for block in blocks(&subtitles) {
            parser.block(block);
        }
        let Parsed { cues, .. } = parser.finish().unwrap();
        let [cue] = cues.as_slice() else { panic!("{} cues", cues.len()) };
        assert_eq!(cue.text, "a\n".repeat(LINES));
        assert!(cue.text.capacity() <= 2 * subtitles.len());
    }

    #[test]
    fn blocks_are_the_lines_between_blank_ones() {
        let blocks: Vec<_> = blocks("\r\n \na\r\r\nb\n\t\n\nc").map(|block| lines(block).collect::<Vec<_>>()).collect();
        assert_eq!(blocks, [vec!["a", "b"], vec!["c"]]);
    }
}
