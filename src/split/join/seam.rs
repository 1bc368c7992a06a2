//! The text of the pieces, joined.

/// The seams between the texts of pieces. White space between two pieces becomes one space, or none between characters of
/// scripts that are written without spaces. White space before the first text and after the last stays.
#[derive(Debug, Default)]
pub(super) struct Seams {
    /// The last character of the text that is not white space.
    last: Option<char>,
    /// The white space after the text, which stays only if no text follows in another piece.
    trailing: String,
    /// The white space with which the current piece begins.
    leading: String,
    /// True if the current piece has given text.
    begun: bool,
}

impl Seams {
    /// Takes text of the current piece, and returns what follows the text before it.
    pub(super) fn push(&mut self, delta: &str) -> String {
        let core = delta.trim_end();
        let after = delta.strip_prefix(core).unwrap_or_default();
        if core.is_empty() {
            let blank = if self.begun { &mut self.trailing } else { &mut self.leading };
            blank.push_str(after);
            return String::new();
        }
        let before = std::mem::take(if self.begun { &mut self.trailing } else { &mut self.leading });
        let sent = match self.last {
            Some(last) if !self.begun => {
                let core = core.trim_start();
                let space = core.chars().next().filter(|first| needs_space(last, *first)).map_or("", |_| " ");
                format!("{space}{core}")
            }
            _ => before + core,
        };
        self.begun = true;
        after.clone_into(&mut self.trailing);
        self.last = sent.chars().next_back().or(self.last);
        sent
    }

    /// Ends the current piece.
    pub(super) fn end_piece(&mut self) {
        let leading = std::mem::take(&mut self.leading);
        if self.last.is_none() && self.trailing.is_empty() {
            self.trailing = leading;
        }
        self.begun = false;
    }
}

/// The text of all pieces, joined at their [`Seams`].
#[derive(Default)]
pub(super) struct JoinedText {
    text: String,
    seams: Seams,
}

impl JoinedText {
    /// Appends text of the current piece, and returns the delta for the client.
    pub(super) fn push(&mut self, delta: &str) -> String {
        let sent = self.seams.push(delta);
        self.text.push_str(&sent);
        sent
    }

    /// Ends the current piece.
    pub(super) fn end_piece(&mut self) {
        self.seams.end_piece();
    }

    /// Returns the text without the white space at its end.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text, and the last delta: the white space at its end.
    pub(super) fn finish(mut self) -> (String, String) {
        self.text.push_str(&self.seams.trailing);
        (self.text, self.seams.trailing)
    }
}

/// Returns true if there is a space between these two characters at the seam of two pieces.
fn needs_space(last: char, first: char) -> bool {
    let unspaced = is_unspaced(last) && is_unspaced(first);
    !(unspaced || is_full_width_punctuation(last) || is_full_width_punctuation(first))
}

/// Returns true for Han, kana and Thai, which put no spaces between words.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0e7f}' // Thai
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303b}' // marks that repeat Han, numerals
        | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' | '\u{1aff0}'..='\u{1b16f}' // kana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}') // Han
}

/// Returns true for the punctuation of Chinese and Japanese, whose characters include the space beside them.
pub(super) fn is_full_width_punctuation(c: char) -> bool {
    matches!(c,
        '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3020}' | '\u{3030}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}
