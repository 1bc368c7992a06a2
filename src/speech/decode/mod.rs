//! Decoding: a recording becomes blocks of 16 kHz mono samples.
//!
//! The demuxers of [`media`](crate::intake::media), which measured the recording, find its packets, so what was measured is
//! what is decoded.
//!
//! - `reader`: [`SoundReader`], which hands out the blocks; `live`: the same for a recording that comes piece by piece
//! - `decoding`: packets become blocks
//! - `link`: a part of a recording with one track, from its first packet to its last
//! - `split`: streams of bytes become frames; `codec`: packets and frames become samples
//! - `timeline`: leaves out priming, padding, and what an edit list leaves out
//! - `mix`, `resample`: one channel, 16 kHz
//! - `damage`: how much may be bridged by silence; `effort`: how much work one call does
//! - `error`, `report`: what went wrong, and what was done

mod codec;
mod damage;
mod decoding;
mod effort;
mod error;
mod link;
mod live;
mod mix;
mod reader;
mod report;
mod resample;
mod split;
#[cfg(test)]
mod tests;
mod timeline;

pub use error::{Reason, SoundError};
pub(super) use live::{LiveBlock, LiveReader};
pub use reader::SoundReader;
pub use report::DecodeReport;
