//! A piece of a recording.

use super::encoding::Encoding;
use super::samples::Span;
use crate::intake::Spool;

/// A piece of a recording, ready to be sent.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The number of the piece in the recording, from zero.
    pub number: u32,
    /// The stretch of the recording that the piece holds. Pieces never overlap, and come in the order of time; what is
    /// between two of them is silence that is not sent.
    pub span: Span,
    /// The stretches with voice within `span`, in order and apart from each other.
    pub voice: Vec<Span>,
    /// The file format.
    pub encoding: Encoding,
    /// The file.
    pub audio: Spool,
}
