//! The text of all sessions, as it grows.

/// The text of all sessions. Its end is all that is kept.
#[derive(Default)]
pub(super) struct RunningText {
    /// The last character.
    last: Option<char>,
    /// True until the first words of a session have come.
    is_new_session: bool,
}

impl RunningText {
    pub(super) fn begin_session(&mut self) {
        self.is_new_session = true;
    }

    /// Adds the next words, and returns them with what parts them from the session before.
    pub(super) fn add(&mut self, delta: &str) -> String {
        let Some(last) = delta.chars().next_back() else { return String::new() };
        let is_first = std::mem::take(&mut self.is_new_session);
        let runs_on = is_first && self.last.is_some_and(|last| !last.is_whitespace());
        let space = if runs_on && !delta.starts_with(char::is_whitespace) { " " } else { "" };
        self.last = Some(last);
        format!("{space}{delta}")
    }

    /// Returns the end of the last line.
    pub(super) fn finish(&mut self) -> String {
        let is_open = self.last.take().is_some_and(|last| last != '\n');
        if is_open { "\n".to_owned() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_two_sessions_are_parted() {
        let mut text = RunningText::default();
        let mut written = String::new();
        for session in [["Good", " morning."], ["How are", " you?"]] {
            text.begin_session();
            for delta in session {
                written.push_str(&text.add(delta));
            }
        }
        written.push_str(&text.finish());
        assert_eq!(written, "Good morning. How are you?\n");
    }

    #[test]
    fn silence_is_no_line() {
        let mut text = RunningText::default();
        text.begin_session();
        assert_eq!(text.add("") + &text.finish(), "");
    }
}
