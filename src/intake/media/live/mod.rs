//! Recordings that are live: their bytes come piece by piece, nobody knows how many will come, and what was read is
//! forgotten.
//!
//! - [`LivePackets`]: hands out the packets of what has come so far
//! - `beginning`: detects the container from the first bytes
//! - `demuxer`: splits the bytes into packets, as soon as each packet is whole
//! - `mp4`: the fragments of MP4, without the file before them

mod beginning;
mod demuxer;
mod error;
mod mp4;
mod packets;
#[cfg(test)]
mod tests;

pub use error::LiveMediaError;
pub use packets::{LivePackets, LiveStep};
