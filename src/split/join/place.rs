//! The place of a piece in its recording.

use crate::speech::Span;

/// The place of a piece in its recording.
#[derive(Debug, Clone, Copy)]
pub struct PiecePlace<'a> {
    /// The number of the piece, from zero.
    pub number: u32,
    /// True if no piece follows; false if one does, or may.
    pub last: bool,
    /// The stretch of the recording that the piece holds.
    pub span: Span,
    /// The stretches with voice within `span`, in order and apart from each other.
    pub voice: &'a [Span],
}

impl PiecePlace<'_> {
    /// Returns true if the recording has no other piece.
    pub fn is_only(&self) -> bool {
        self.number == 0 && self.last
    }

    /// Returns the maximum number of characters, of segments and words, or of lines of subtitles in an answer for the piece,
    /// where each of them costs time. Fast speech has 25 characters a second; a model that repeats itself may write a
    /// hundred. The bound keeps the threads that serve other clients free.
    pub(super) fn max_said(&self) -> usize {
        const IN_SECOND: u64 = 200;
        const IN_ANY_PIECE: u64 = 10_000;
        let seconds = self.span.length().audio_ms().get().div_ceil(1000);
        usize::try_from(seconds.saturating_mul(IN_SECOND).saturating_add(IN_ANY_PIECE)).unwrap_or(usize::MAX)
    }
}
