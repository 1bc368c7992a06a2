//! What a piece brought.

use crate::speech::piece::Piece;
use crate::speech::samples::Samples;

/// What a piece brought.
#[derive(Debug, Default)]
pub struct Heard {
    /// The turns that ended, in order. Their numbers go on from piece to piece.
    pub turns: Vec<Piece>,
    /// The sound of the session so far.
    pub audio: Samples,
    /// The position before which everything is in a turn that ended, or in silence that is not sent.
    pub decided: Samples,
}
