//! The words of one recording, printed as they come.

use std::io::{self, Write};

use super::heard::Heard;

/// The words of one recording on standard output. A closed pipe, such as one to `head`, is not a failure.
#[derive(Debug, Default)]
pub(super) struct Words {
    is_wanted: bool,
    printed: String,
}

impl Words {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, printed: String::new() }
    }

    /// Returns true if words are printed as they come.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Prints the next words.
    pub(super) fn print(&mut self, words: &str) {
        if self.is_wanted {
            self.printed.push_str(words);
            write_out(words.as_bytes());
        }
    }

    /// Prints the rest of the transcript: all of it if the model does not stream.
    pub(super) fn finish(self, whole: &Heard) {
        if self.is_wanted {
            write_out(rest(&self.printed, &whole.0));
        }
    }

    /// Ends the line of a transcript that is not whole.
    pub(super) fn break_off(self) {
        if !self.printed.is_empty() {
            write_out(b"\n");
        }
    }
}

fn write_out(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Returns what of `whole` is still to be printed. Spaces at the end of the words do not count.
fn rest<'a>(printed: &str, whole: &'a [u8]) -> &'a [u8] {
    let (printed, line_break) = (printed.as_bytes(), b"\n".as_slice());
    let unprinted = whole.strip_prefix(printed).or_else(|| whole.strip_prefix(printed.trim_ascii_end()));
    unprinted.filter(|rest| !rest.is_empty()).unwrap_or(line_break)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_printed_once_and_end_with_a_line_break() {
        for (printed, whole, left) in [
            ("", "Good morning.\n", "Good morning.\n"),
            ("Good", "Good morning.\n", " morning.\n"),
            ("Good morning.", "Good morning.\n", "\n"),
            ("Good morning. ", "Good morning.\n", "\n"),
            ("Good mourning", "Good morning.\n", "\n"),
        ] {
            assert_eq!(rest(printed, whole.as_bytes()), left.as_bytes(), "{printed:?}");
        }
    }
}
