//! A piece of sound on its way to the gateway.

use std::fmt;

use bytes::Bytes;

/// The size at which a piece is sent, and the largest one.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// A piece of sound, with its number in its session. Shows only its size: it is what a person said.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) seq: u64,
    pub(super) bytes: Bytes,
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("seq", &self.seq).field("bytes", &self.bytes.len()).finish()
    }
}
