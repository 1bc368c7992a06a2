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
}
