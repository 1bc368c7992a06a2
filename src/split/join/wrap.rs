//! Sentences, wrapped to subtitles.

use std::cmp::Reverse;

use unicode_width::UnicodeWidthChar;

use super::cues::Cue;
use super::seam::{is_full_width_punctuation, is_unspaced};
use super::sentences::{Sentence, weight};
use super::times::nearest_ms;
use super::voice::Voice;
use crate::domain::AudioMs;
use crate::speech::{Samples, Span};

/// The maximum width of a line, in narrow characters; a wide one counts as two.
pub(super) const MAX_WIDTH: usize = 42;
/// The maximum number of lines in a cue.
pub(super) const MAX_LINES: usize = 2;
/// The maximum time of a cue.
pub(super) const MAX_TIME: AudioMs = AudioMs::new(7_000);

/// Wraps a sentence to cues. Inside the sentence, time is shared out by characters.
pub(super) fn cues(sentence: &Sentence<'_>, voice: &Voice) -> Vec<Cue> {
    let voice = voice.part(sentence.span);
    let whole = weight(sentence.text);
    let ms = voice.length().audio_ms().get().max(1);
    let max_weight = u128::from(whole) * u128::from(MAX_TIME.get()) / u128::from(ms);
    let pages = pages(&tokens(sentence.text), u64::try_from(max_weight).unwrap_or(u64::MAX));
    let mut before = 0;
    let mut starts: Vec<Samples> = Vec::with_capacity(pages.len());
    for page in &pages {
        starts.push(if before == 0 { sentence.span.start } else { voice.at(before, whole) });
        before += page.iter().map(|token| token.weight).sum::<u64>();
    }
    let ends = starts.iter().skip(1).map(|next| voice.end_before(*next)).chain([sentence.span.end]);
    let spans = starts.iter().zip(ends).map(|(start, end)| Span { start: *start, end });
    pages.iter().zip(spans).map(|(page, span)| cue(page, span)).collect()
}

fn cue(page: &[Token<'_>], span: Span) -> Cue {
    let start = nearest_ms(span.start);
    let end = nearest_ms(span.end).min(start.saturating_add(MAX_TIME)).max(start);
    Cue::plain(start, end, &lines(page))
}

/// A part of a text that is not broken: a word, or a character of a script that is written without spaces.
#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    text: &'t str,
    /// True if a space stands before it.
    spaced: bool,
    width: usize,
    weight: u64,
}

impl Token<'_> {
    /// Returns the width that the token adds to a line of `line` columns; an empty one needs no space.
    fn width_after(&self, line: usize) -> usize {
        if line == 0 { self.width } else { self.width + usize::from(self.spaced) }
    }

    /// Returns true if a reader expects a break after this.
    fn ends_phrase(&self) -> bool {
        self.text
            .ends_with(|c: char| matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '…' | '—' | '–') || is_phrase_end(c))
    }
}

fn is_phrase_end(c: char) -> bool {
    matches!(c, '、' | '。' | '，' | '；' | '：' | '！' | '？' | '」' | '』' | '）' | '،' | '؛' | '।')
}

/// Splits a text to tokens.
fn tokens(text: &str) -> Vec<Token<'_>> {
    text.split_whitespace().flat_map(word_tokens).collect()
}

/// Splits a word where a line may break: between characters of scripts without spaces, and where it is longer than a line.
fn word_tokens(word: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut start, mut width) = (0, 0);
    let mut previous: Option<char> = None;
    for (at, c) in word.char_indices() {
        let own = c.width().unwrap_or_default();
        let is_full = width + own > MAX_WIDTH;
        if own > 0 && previous.is_some_and(|previous| is_full || may_break(previous, c)) {
            tokens.extend(token(word, start..at, width, start == 0));
            (start, width) = (at, 0);
        }
        width += own;
        previous = Some(c);
    }
    tokens.extend(token(word, start..word.len(), width, start == 0));
    tokens
}

fn token(word: &str, range: std::ops::Range<usize>, width: usize, spaced: bool) -> Option<Token<'_>> {
    let text = word.get(range)?;
    // Marks alone have no width; a width of one bounds the tokens of a line.
    Some(Token { text, spaced, width: width.max(1), weight: weight(text) })
}

/// Returns true if a line may break between two characters of a word: Han and kana, but for marks that belong to the
/// character before or after them. Thai words have no spaces either, but only a dictionary finds where they end.
fn may_break(before: char, after: char) -> bool {
    let is_breaking = |c: char| is_unspaced(c) && c.width() == Some(2) || is_full_width_punctuation(c);
    let opens = |c: char| matches!(c, '「' | '『' | '（' | '【' | '《' | '〈' | '［' | '｛' | '〔');
    let is_small_kana = |c: char| {
        matches!(
            c,
            'ぁ' | 'ぃ'
                | 'ぅ'
                | 'ぇ'
                | 'ぉ'
                | 'っ'
                | 'ゃ'
                | 'ゅ'
                | 'ょ'
                | 'ァ'
                | 'ィ'
                | 'ゥ'
                | 'ェ'
                | 'ォ'
                | 'ッ'
                | 'ャ'
                | 'ュ'
                | 'ョ'
                | 'ー'
                | '々'
        )
    };
    let belongs_before = (is_full_width_punctuation(after) && !opens(after)) || is_small_kana(after);
    (is_breaking(before) || is_breaking(after)) && !opens(before) && !belongs_before && !after.is_ascii_punctuation()
}

/// Splits tokens to the pages of the cues: each fits its lines, and holds no more than `max_weight` if it can.
fn pages<'t>(tokens: &[Token<'t>], max_weight: u64) -> Vec<Vec<Token<'t>>> {
    let mut pages = Vec::new();
    let mut left: u64 = tokens.iter().map(|token| token.weight).sum();
    let mut rest = tokens;
    while !rest.is_empty() {
        let fit = fitting(rest, max_weight);
        let count = if fit < rest.len() { best_break(rest, fit, left) } else { fit };
        let (page, after) = rest.split_at_checked(count.max(1)).unwrap_or((rest, &[]));
        left = left.saturating_sub(page.iter().map(|token| token.weight).sum());
        pages.push(page.to_vec());
        rest = after;
    }
    pages
}

/// Returns how many of the tokens fit one cue; at least one.
fn fitting(tokens: &[Token<'_>], max_weight: u64) -> usize {
    let (mut lines, mut width, mut total) = (1, 0, 0_u64);
    for (index, token) in tokens.iter().enumerate() {
        let added = token.width_after(width);
        if width + added > MAX_WIDTH && width > 0 {
            lines += 1;
            width = token.width;
        } else {
            width += added;
        }
        total = total.saturating_add(token.weight);
        if index > 0 && (lines > MAX_LINES || total > max_weight) {
            return index;
        }
    }
    tokens.len()
}

/// Returns the number of tokens for the next cue, of the `fit` that it could hold: near an even share of what is `left`, so
/// that the last cue is not a single word, and after punctuation if there is some near.
fn best_break(tokens: &[Token<'_>], fit: usize, left: u64) -> usize {
    let capacity: u64 = tokens.iter().take(fit).map(|token| token.weight).sum();
    let target = left / left.div_ceil(capacity.max(1)).max(1);
    let mut total = 0_u64;
    let scored = tokens.iter().take(fit).zip(1..).map(|(token, count)| {
        total = total.saturating_add(token.weight);
        // A phrase may end up to a third of the share away.
        (total.abs_diff(target) + if token.ends_phrase() { 0 } else { target / 3 }, count)
    });
    // Of equals the last, so that marks without weight fill no cues of their own.
    scored.max_by_key(|(distance, _)| Reverse(*distance)).map_or(fit, |(_, count)| count)
}

/// Lays out the tokens of a cue: one line if they fit it, else two of about the same width.
fn lines(page: &[Token<'_>]) -> Vec<String> {
    let width = |tokens: &[Token<'_>]| tokens.iter().fold(0, |line, token| line + token.width_after(line));
    if width(page) <= MAX_WIDTH {
        return vec![line(page)];
    }
    let scored = (1..page.len()).filter_map(|count| {
        let (first, second) = page.split_at_checked(count)?;
        let longer = width(first).max(width(second));
        let penalty = if first.last()?.ends_phrase() { 0 } else { MAX_WIDTH / 4 };
        (longer <= MAX_WIDTH).then_some((longer + penalty, count))
    });
    let best = scored.min_by_key(|(score, _)| *score);
    match best.and_then(|(_, count)| page.split_at_checked(count)) {
        Some((first, second)) => vec![line(first), line(second)],
        None => vec![line(page)],
    }
}

fn line(tokens: &[Token<'_>]) -> String {
    let mut line = String::new();
    for token in tokens {
        if token.spaced && !line.is_empty() {
            line.push(' ');
        }
        line.push_str(token.text);
    }
    line
}
