//! The duration of packets, measured from their own bytes and never from the container's statements.
//!
//! A [`PacketClock`] counts one track. It asks for certain bytes of each packet. From them it derives the packet's
//! duration and the number of bytes that it could not explain.
//!
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
pub(super) mod adts;
mod alac;
mod amr;
mod bits;
pub(super) mod chain;
pub(super) mod dts;
pub(super) mod flac;
pub(super) mod mpeg;
mod opus;
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

use super::{Container, MediaError};

pub use table::Codec;
use table::Counting;

/// A container's description of a track's codec.
#[derive(Debug, Clone)]
pub(super) struct TrackParams {
    /// The codec: the container's own code for it, mapped by `tags`. An unknown code is an error that names it.
    pub(super) codec: Result<Codec, String>,
    /// The number of samples a second of each channel; 0 if unknown.
    pub(super) rate: u32,
    /// The number of channels; 0 if unknown.
    pub(super) channels: u16,
    /// The number of bits for each sample; 0 if unknown.
    pub(super) bits: u16,
    /// The size in bytes of the smallest piece that can be decoded (`nBlockAlign`); 0 if unknown.
    pub(super) block_bytes: u32,
    /// The codec's own configuration: an `AudioSpecificConfig`, `OpusHead`, `STREAMINFO` (with or without `fLaC` and
    /// the block's head), Vorbis' three headers (as Matroska laces them, or each after two bytes of its size, in the
    /// order of an Ogg stream), ALAC's cookie, Speex' header.
    pub(super) setup: Vec<u8>,
}

impl Default for TrackParams {
    fn default() -> Self {
        let codec = Err("nothing".to_owned());
        Self { codec, rate: 0, channels: 0, bits: 0, block_bytes: 0, setup: Vec::new() }
    }
}

/// The bytes of a packet that its clock needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// No bytes: the packet's size suffices.
    Nothing,
    /// The first bytes, up to this number.
    First(usize),
    /// All bytes.
    Everything,
}

/// A counter of the packets of one codec. [`PacketClock`] documents the calls.
trait Count {
    fn begin(&mut self, size: u64) -> Wants;
    fn bytes(&mut self, _bytes: &[u8]) {}
    fn unseen(&mut self, _count: u64) {}
    fn end(&mut self) {}
    fn played(&self) -> u64;
    fn stray(&self) -> u64 {
        0
    }
}

/// A clock that counts the duration of one track's packets.
pub(super) struct PacketClock {
    codec: Codec,
    count: Box<dyn Count + Send>,
}

impl PacketClock {
    /// Creates a clock for `params`, a track in `container`. Returns an error with the codec's name if the clock cannot
    /// count its time.
    pub(super) fn new(params: &TrackParams, container: Container) -> Result<Self, MediaError> {
        let codec = params.codec.clone().map_err(|codec| MediaError::Codec { container, codec })?;
        let count = counter(codec, params, container).map_err(|codec| MediaError::Codec { container, codec })?;
        Ok(Self { codec, count })
    }

    /// Returns the codec of the track.
    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Begins a packet of `size` bytes.
    pub(super) fn begin(&mut self, size: u64) -> Wants {
        self.count.begin(size)
    }

    /// Reads the next bytes of the packet.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count.bytes(bytes);
    }

    /// Skips the next bytes of the packet.
    pub(super) fn unseen(&mut self, count: u64) {
        self.count.unseen(count);
    }

    /// Ends the packet.
    pub(super) fn end(&mut self) {
        self.count.end();
    }

    /// Returns the total duration of the packets so far, in nanoseconds.
    pub(super) fn played(&self) -> u64 {
        self.count.played()
    }

    /// Returns the number of bytes of the packets so far that belong to no frame found in them.
    pub(super) fn stray(&self) -> u64 {
        self.count.stray()
    }

    /// Returns the minimum bit rate of this kind of sound, in bits a second, at which stray bytes count.
    pub(super) fn min_bits_per_second(&self) -> u64 {
        self.codec.min_bits_per_second()
    }
}

/// Returns the counter for `codec`; the error is the name under which the codec is refused.
fn counter(codec: Codec, params: &TrackParams, container: Container) -> Result<Box<dyn Count + Send>, String> {
    Ok(match codec.counting() {
        // WAV has no packets, and players cut it at any byte, so codecs counted by a packet's first bytes cannot be
        // counted there.
        Counting::Opus | Counting::Vorbis | Counting::Speex | Counting::AmrNarrow | Counting::AmrWide
            if container == Container::Wav =>
        {
            return Err(codec.name().to_owned());
        }
        Counting::Adpcm(adpcm::Layout::Flash) if container == Container::Wav => return Err(codec.name().to_owned()),
        Counting::Mpeg => Box::new(mpeg::Mpeg::default()),
        Counting::Aac if container == Container::Wav => Box::new(adts::AdtsStream::default()),
        Counting::Aac => Box::new(aac::Aac::new(params)?),
        Counting::Opus => Box::new(opus::Opus::default()),
        Counting::Vorbis => Box::new(vorbis::Vorbis::new(params)?),
        Counting::Flac => Box::new(flac::Flac::new(params)),
        Counting::Pcm { bits } => Box::new(pcm::Pcm::new(codec, bits, params)?),
        Counting::Adpcm(layout) => Box::new(adpcm::Adpcm::new(codec, layout, params)?),
        Counting::Ac3 => Box::new(ac3::Ac3::default()),
        Counting::Dts => Box::new(dts::Dts::default()),
        Counting::Alac => Box::new(alac::Alac::new(params)?),
        Counting::Speex => Box::new(speex::Speex::new(params)?),
        Counting::AmrNarrow => Box::new(amr::Amr::narrow()),
        Counting::AmrWide => Box::new(amr::Amr::wide()),
        Counting::WavPack => Box::new(wavpack::WavPack::new(params)),
        Counting::Tta => Box::new(tta::Tta::new(params)?),
        Counting::Disguised => Box::new(suspicion::Disguised::default()),
        Counting::AmongOthers { gaps } => Box::new(suspicion::AmongOthers::new(gaps)),
        Counting::Refused => return Err(codec.name().to_owned()),
    })
}

/// The first bytes of a packet, at most `N`.
#[derive(Debug, Clone, Copy)]
struct Head<const N: usize> {
    bytes: [u8; N],
    count: usize,
}

impl<const N: usize> Default for Head<N> {
    fn default() -> Self {
        Self { bytes: [0; N], count: 0 }
    }
}

impl<const N: usize> Head<N> {
    /// Begins another packet, and returns the bytes of it that are needed.
    fn clear(&mut self) -> Wants {
        self.count = 0;
        Wants::First(N)
    }

    fn push(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(self.count..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        free.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.count += count;
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }
}

/// Runs packets through a counter, in pieces of seven bytes. Returns their duration in milliseconds.
#[cfg(test)]
fn play<'a>(count: &mut dyn Count, packets: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    for packet in packets {
        let wanted = match count.begin(packet.len().try_into().unwrap()) {
            Wants::Nothing => 0,
            Wants::First(bytes) => bytes.min(packet.len()),
            Wants::Everything => packet.len(),
        };
        packet[..wanted].chunks(7).for_each(|piece| count.bytes(piece));
        count.unseen((packet.len() - wanted).try_into().unwrap());
        count.end();
    }
    count.played() / 1_000_000
}
