//! The form in which pieces are written.

use crate::speech::encoding::Encoding;

/// The form in which pieces are written.
#[derive(Debug, Clone, Copy)]
pub(in crate::speech) struct PieceForm {
    pub(in crate::speech) encoding: Encoding,
    /// True if the encoder is to save time rather than bytes.
    pub(in crate::speech) is_fast: bool,
    /// True if a piece is to hold little memory while it grows.
    pub(in crate::speech) is_small: bool,
}
