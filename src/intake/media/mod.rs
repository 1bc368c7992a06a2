//! The format and the length of a recording.
//!
//! Clients choose names and content types; this module trusts only the bytes. [`inspect()`] detects the container from its
//! first bytes and measures the length by walking the packets without decoding them. It ignores lengths that a header
//! states: a false header would make a long recording cheap. Where it cannot walk the packets, the length is an upper bound.
//!
//! - `detect`: detects the container from the first bytes; `describe`: names other formats; `players`: finds files that
//!   players take for another format
//! - `reader`: shows a demuxer the recording, window by window, in a `buffer` and within a `budget` of processor time
//! - `demux`: splits each container into packets; `mp4` and `caf` read the tables that locate their packets
//! - `codec`: computes the duration of a packet from its bytes
//! - `tally`: sums the durations
//! - [`packets`](PacketReader): hands out the packets of one track, for decoding
//! - [`LivePackets`]: hands out packets of a recording that comes piece by piece
//! - [`claim`]: reads the length that the beginning of a recording states, while the rest is still arriving

mod budget;
mod buffer;
mod caf;
mod claim;
mod codec;
mod container;
mod demux;
mod describe;
mod detect;
mod error;
mod inspect;
mod live;
mod mp4;
mod packets;
mod players;
mod reader;
mod tally;
#[cfg(test)]
mod tests;

pub use crate::domain::Length;
pub use claim::{Claim, claim};
pub use codec::{Codec, FlacFrame, MpegFrame, TrackParams};
pub use container::Container;
pub use error::MediaError;
pub use inspect::{MAX_AT_ONCE, MediaInfo, inspect, inspect_at_once};
pub use live::{LiveMediaError, LivePackets, LiveStep};
pub use packets::{EditPart, PacketEvent, PacketReader};
