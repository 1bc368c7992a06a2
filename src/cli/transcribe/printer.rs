//! Transcripts on standard output, in the order of the recordings.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::heard::Heard;

/// A transcript with the name of its recording.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) heard: Heard,
}

/// A printer that keeps what comes early until its turn.
#[derive(Default)]
pub(super) struct Printer {
    /// True if each transcript gets a heading, as `head` gives files.
    with_headings: bool,
    /// The position of the recording that is printed next.
    next: usize,
    waiting: BTreeMap<usize, Option<Named>>,
    has_printed: bool,
}

impl Printer {
    /// Creates a printer for so many recordings.
    pub(super) fn new(recordings: usize) -> Self {
        Self { with_headings: recordings > 1, ..Self::default() }
    }

    /// Takes the transcript of the recording at `position`, if there is one, and writes all whose turn it is to `out`.
    pub(super) fn put(&mut self, position: usize, transcript: Option<Named>, out: &mut dyn Write) -> io::Result<()> {
        self.waiting.insert(position, transcript);
        while let Some(transcript) = self.waiting.remove(&self.next) {
            self.next += 1;
            if let Some(transcript) = transcript {
                self.write(&transcript, out)?;
            }
        }
        out.flush()
    }

    fn write(&mut self, Named { name, heard }: &Named, out: &mut dyn Write) -> io::Result<()> {
        if self.with_headings {
            let before = if self.has_printed { "\n" } else { "" };
            writeln!(out, "{before}==> {name} <==")?;
        }
        self.has_printed = true;
        out.write_all(&heard.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_come_in_the_order_of_the_recordings() {
        let named = |name: &str| Some(Named { name: name.to_owned(), heard: Heard::from_body(b"words") });
        let (mut printer, mut out) = (Printer::new(4), Vec::new());
        printer.put(2, named("c"), &mut out).unwrap();
        assert_eq!(out, b"");
        printer.put(0, named("a"), &mut out).unwrap();
        printer.put(1, None, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "==> a <==\nwords\n\n==> c <==\nwords\n");
    }

    #[test]
    fn one_transcript_has_no_heading() {
        let mut out = Vec::new();
        let named = Named { name: "a".to_owned(), heard: Heard::from_body(b"words\n\n") };
        Printer::new(1).put(0, Some(named), &mut out).unwrap();
        assert_eq!(out, b"words\n");
    }
}
