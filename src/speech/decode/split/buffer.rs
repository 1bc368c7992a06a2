//! The bytes of a stream that wait to be split.

use std::ops::Range;

/// A part of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::speech::decode) enum Unit {
    /// A frame, at these positions of the buffer until more bytes are pushed.
    Frame(Range<usize>),
    /// Sound that is missing, in samples.
    Lost(u64),
    /// Nothing yet: a stretch of the buffer was searched, and the rest is still to be searched.
    Searched,
}

/// Bytes that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    /// The number of bytes at the front that are done with.
    used: usize,
}

impl Waiting {
    /// Appends bytes. Positions of the buffer change.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Gives back the memory that nothing needs until more bytes come.
    pub(super) fn trim(&mut self) {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.shrink_to_fit();
    }

    /// Returns the bytes that wait.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// Takes the first `count` bytes that wait, and returns their positions.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let from = self.used;
        self.used = from.saturating_add(count).min(self.bytes.len());
        from..self.used
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}
