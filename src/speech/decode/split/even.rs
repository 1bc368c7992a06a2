//! Frames of one size.

use std::ops::Range;

use super::buffer::{Unit, Waiting};

/// The number of bytes of PCM that are decoded at once.
const PCM_PIECE: usize = 16 * 1024;

/// A splitter into frames of one size. What is left at the end is no whole frame, and decoders drop it.
#[derive(Debug)]
pub(in crate::speech::decode) struct Even {
    waiting: Waiting,
    frame: usize,
    max: usize,
}

impl Even {
    /// Creates a splitter of PCM whose samples of all channels have `frame` bytes: any number of them is a frame.
    pub(super) fn pcm(frame: usize) -> Self {
        let frame = frame.max(1);
        Self { waiting: Waiting::default(), frame, max: (PCM_PIECE / frame).max(1).saturating_mul(frame) }
    }

    /// Creates a splitter into blocks.
    pub(super) fn blocks(block: usize) -> Self {
        Self { waiting: Waiting::default(), frame: block, max: block }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.push(bytes);
    }

    pub(super) fn trim(&mut self) {
        self.waiting.trim();
    }

    pub(super) fn next(&mut self) -> Option<Unit> {
        let whole = self.waiting.rest().len().min(self.max) / self.frame * self.frame;
        (whole > 0).then(|| Unit::Frame(self.waiting.take(whole)))
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.waiting.bytes(range)
    }
}
