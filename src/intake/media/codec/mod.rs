//! The duration of packets, measured from their own bytes and never from the container's statements.
//!
//! A [`PacketClock`] counts one track. It asks for certain bytes of each packet. From them it derives the packet's
//! duration and the number of bytes that it could not explain.
//!
//! - `params`: the description of a track; `clock`: the clock; `count`: the interface of the counters below
//! - `table`: every codec with its name, its bounds, and its way of counting or its refusal
//! - `tags`: the containers' codes for codecs
//! - `pcm`, `adpcm`: counting by a packet's size
//! - `opus`, `vorbis`, `alac`, `wavpack`: counting by a packet's first bytes
//! - `mpeg`, `flac`, `ac3`, `dts`, `adts`, `amr`: counting by the chain of frame headers, in packets and in streams of
//!   bytes
//! - `aac`, `speex`, `tta`: counting by parsing a packet from its first bit to its last

mod aac;
pub(super) mod ac3;
mod adpcm;
mod adpcm_layout;
pub(super) mod adts;
mod alac;
mod amr;
mod bits;
pub(super) mod chain;
mod clock;
mod count;
pub(super) mod dts;
pub(super) mod flac;
pub(super) mod mpeg;
mod opus;
mod params;
mod pcm;
mod played;
mod screen;
mod speex;
pub(super) mod suspicion;
pub(super) mod table;
pub(super) mod tags;
mod tta;
mod vorbis;
mod wavpack;

pub(super) use clock::PacketClock;
pub(super) use count::Wants;
use count::{Count, Head};
pub use flac::FlacFrame;
pub use mpeg::Frame as MpegFrame;
pub use params::TrackParams;
pub use table::Codec;

#[cfg(test)]
use count::play;
