//! The words of one recording, printed as they come.

use super::heard::Heard;
use super::standard_output::StandardOutput;

/// The words of one recording on standard output. A closed pipe, such as one to `head`, is not a failure.
#[derive(Debug)]
pub(super) struct Words {
    /// Where the words go, if they are wanted as they come.
    out: Option<StandardOutput>,
    printed: String,
}

impl Words {
    pub(super) fn new(out: Option<StandardOutput>) -> Self {
        Self { out, printed: String::new() }
    }

    /// Returns true if words are printed as they come.
    pub(super) fn is_wanted(&self) -> bool {
        self.out.is_some()
    }

    /// Prints the next words.
    pub(super) async fn print(&mut self, words: &str) {
        if self.is_wanted() {
            self.printed.push_str(words);
            self.write_out(words.as_bytes()).await;
        }
    }

    /// Prints the rest of the transcript: all of it if the model does not stream.
    pub(super) async fn finish(self, whole: &Heard) {
        let whole = String::from_utf8_lossy(&whole.0);
        self.write_out(rest(&self.printed, &whole).as_bytes()).await;
    }

    /// Ends the line of a transcript that is not whole.
    pub(super) async fn break_off(self) {
        if !self.printed.is_empty() {
            self.write_out(b"\n").await;
        }
    }

    async fn write_out(&self, bytes: &[u8]) {
        let Some(out) = &self.out else { return };
        if let Ok(pending) = out.queue(bytes.to_vec()).await {
            // Who has closed standard output has had enough.
            let _ = pending.written().await;
        }
    }
}

/// Returns what of `whole` is still to be printed: all of it, on a line of its own, if other words were printed. Spaces do
/// not count.
fn rest(printed: &str, whole: &str) -> String {
    let mut left = whole;
    for letter in printed.chars().filter(|letter| !letter.is_whitespace()) {
        match left.trim_start().strip_prefix(letter) {
            Some(after) => left = after,
            None => return format!("\n{whole}"),
        }
    }
    let left = if printed.ends_with(char::is_whitespace) { left.trim_start() } else { left };
    if left.is_empty() { "\n".to_owned() } else { left.to_owned() }
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
            ("Good  morn", "Good morning.\n", "ing.\n"),
            ("Good mourning", "Good morning.\n", "\nGood morning.\n"),
        ] {
            assert_eq!(rest(printed, whole), left, "{printed:?}");
        }
    }
}
