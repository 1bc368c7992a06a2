//! The trial of a piece: whether its bytes continue the recording.

use std::io::{self, Read};

use crate::intake::media::{LiveMediaError, LivePackets};
use crate::intake::{Spool, SpoolSource};

/// The number of bytes read at once.
pub(super) const CHUNK: usize = 16 * 1024;

/// The trial of a piece on a clone of the recording's packets.
pub(super) struct Trial {
    source: SpoolSource,
    packets: LivePackets,
}

/// The end of a trial.
pub(super) enum Tried {
    /// There is more to be read.
    Further,
    Passed,
    Failed(LiveMediaError),
}

impl Trial {
    pub(super) fn new(piece: &Spool, packets: &LivePackets) -> Self {
        Self { source: piece.source(), packets: packets.clone() }
    }

    /// Tries out the next bytes.
    pub(super) fn step(&mut self, chunk: &mut Vec<u8>) -> io::Result<Tried> {
        read_chunk(&mut self.source, chunk)?;
        let tried = if chunk.is_empty() { self.packets.check() } else { self.packets.try_out(chunk) };
        Ok(match tried {
            Err(error) => Tried::Failed(error),
            Ok(()) if chunk.is_empty() => Tried::Passed,
            Ok(()) => Tried::Further,
        })
    }
}

/// Replaces `chunk` by the next bytes, none at the end.
pub(super) fn read_chunk(source: &mut SpoolSource, chunk: &mut Vec<u8>) -> io::Result<()> {
    chunk.clear();
    let max = u64::try_from(CHUNK).unwrap_or(u64::MAX);
    source.by_ref().take(max).read_to_end(chunk).map(|_| ())
}
