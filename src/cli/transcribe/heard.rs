//! The transcript of a recording, or of a part of it.

use std::fmt;

/// A transcript, or a part of one, as it is written to a file. Shows only its size: it is what a person said.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Heard(pub(super) Vec<u8>);

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").field("bytes", &self.0.len()).finish()
    }
}

impl Heard {
    /// Takes a body that has the format that was asked for. A file and a terminal want a line break at its end, and no
    /// blank line there.
    pub(super) fn from_body(body: &[u8]) -> Self {
        let mut text = body.trim_ascii_end().to_vec();
        text.push(b'\n');
        Self(text)
    }
}
