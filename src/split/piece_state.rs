//! The state of a piece after it was cut, and while it is at a provider.

use crate::models::AttemptLog;
use crate::speech::{Piece, Span};

/// A piece that was cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct CutPiece {
    pub(super) span: Span,
    pub(super) is_transcribed: bool,
}

/// A piece at a provider.
pub(super) struct SentPiece {
    pub(super) piece: Piece,
    pub(super) log: AttemptLog,
    /// True if the provider is asked for a stream.
    pub(super) streamed: bool,
}
