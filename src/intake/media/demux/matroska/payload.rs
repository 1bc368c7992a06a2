//! The packets left in a block, and the tracks that receive them.

use super::watch::to_u64;
use crate::intake::media::demux::{PacketSink, Timestamp, TrackId};

/// The packets left in a block.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    /// The sizes of all packets but the last; `last` is the size of the last, and `begun` the number of packets begun.
    pub(super) sizes: Vec<u64>,
    pub(super) last: u64,
    pub(super) begun: usize,
    /// The number of bytes left of the current packet.
    pub(super) left: u64,
    /// The end of the block.
    pub(super) end: u64,
    pub(super) receivers: Receivers,
    pub(super) time: Option<Timestamp>,
    /// True if the block is too large to believe its size.
    pub(super) is_huge: bool,
}

/// The track of this file, and the track of the first file.
pub(super) type Receivers = [Option<Receiver>; 2];

/// A track that receives packets.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) id: TrackId,
    /// The index of its description among the tracks of the first file or of this one.
    pub(super) index: usize,
    pub(super) is_first: bool,
    /// The number of bytes of the packet that it still wants to see.
    pub(super) wants: usize,
}

impl Receiver {
    pub(super) fn show(&mut self, bytes: &[u8], sink: &mut dyn PacketSink) {
        let (seen, unseen) = bytes.split_at_checked(self.wants).unwrap_or((bytes, &[]));
        self.wants -= seen.len();
        if !seen.is_empty() {
            sink.bytes(self.id, seen);
        }
        if !unseen.is_empty() {
            sink.unseen(self.id, to_u64(unseen.len()));
        }
    }
}

impl Payload {
    /// Returns the size of the next packet.
    pub(super) fn size(&self) -> Option<u64> {
        let last = (self.begun == self.sizes.len()).then_some(self.last);
        self.sizes.get(self.begun).copied().or(last)
    }

    /// Ends the current packet where the recording or a disbelieved block ends.
    pub(super) fn cut(self, sink: &mut dyn PacketSink) {
        if self.left > 0 {
            self.receivers.iter().flatten().for_each(|receiver| sink.end(receiver.id));
        }
    }
}
