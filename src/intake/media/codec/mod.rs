//! How long a packet plays, by its own bytes and never by what is said beside it.
//!
//! A [`PacketClock`] counts one track. It is shown the bytes of each packet that it asks for, and knows afterwards how long
//! they play and how many of them it could not explain.
//!
//! - `table`: every codec: its name, its bounds, and how it is counted, or that it is refused
//! - `tags`: the containers' codes for them
//! - `pcm`, `adpcm`: by a packet's size
//! - `opus`, `vorbis`, `alac`, `wavpack`: by a packet's first bytes
//! - `mpeg`, `flac`, `ac3`, `dts`, `adts`, `amr`: by the chain of frame headers, in packets and in streams of bytes
//! - `aac`, `speex`, `tta`: by reading what a packet says from its first bit to its last

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

/// What a container says of a track's codec.
#[derive(Debug, Clone)]
pub(super) struct TrackParams {
    /// Which codec: the container's own code for it, mapped by `tags`. An unknown code is an error that names it.
    pub(super) codec: Result<Codec, String>,
    /// Samples a second of each channel; 0 if not said.
    pub(super) rate: u32,
    /// Channels; 0 if not said.
    pub(super) channels: u16,
    /// Bits of a sample; 0 if not said.
    pub(super) bits: u16,
    /// Bytes of the smallest piece that can be decoded (`nBlockAlign`); 0 if not said.
    pub(super) block_bytes: u32,
    /// The codec's own configuration: an `AudioSpecificConfig`, `OpusHead`, `STREAMINFO` (with or without `fLaC` and the
    /// block's head), Vorbis' three headers (as Matroska laces them, or each behind two bytes of its size, as in an Ogg
    /// stream's order), ALAC's cookie, Speex' header.
    pub(super) setup: Vec<u8>,
}

impl Default for TrackParams {
    fn default() -> Self {
        let codec = Err("nothing".to_owned());
        Self { codec, rate: 0, channels: 0, bits: 0, block_bytes: 0, setup: Vec::new() }
    }
}

/// Which bytes of a packet its clock has to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// None: its size says it all.
    Nothing,
    /// The first so many.
    First(usize),
    /// All of them.
    Everything,
}

/// Counts the packets of one codec. What each call means is said at [`PacketClock`].
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

/// Counts what the packets of one track play.
pub(super) struct PacketClock {
    codec: Codec,
    count: Box<dyn Count + Send>,
}

impl PacketClock {
    /// A clock for `params`, a track in `container`; refuses by name a codec whose time it cannot count.
    pub(super) fn new(params: &TrackParams, container: Container) -> Result<Self, MediaError> {
        let codec = params.codec.clone().map_err(|codec| MediaError::Codec { container, codec })?;
        let count = counter(codec, params, container).map_err(|codec| MediaError::Codec { container, codec })?;
        Ok(Self { codec, count })
    }

    /// The codec that it counts.
    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// A packet of `size` bytes begins.
    pub(super) fn begin(&mut self, size: u64) -> Wants {
        self.count.begin(size)
    }

    /// Its next bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count.bytes(bytes);
    }

    /// Its next bytes, unseen.
    pub(super) fn unseen(&mut self, count: u64) {
        self.count.unseen(count);
    }

    /// It is over.
    pub(super) fn end(&mut self) {
        self.count.end();
    }

    /// What the packets so far play one after the other, in nanoseconds.
    pub(super) fn played(&self) -> u64 {
        self.count.played()
    }

    /// How many bytes of the packets so far belong to no frame that was found in them.
    pub(super) fn stray(&self) -> u64 {
        self.count.stray()
    }

    /// The least bits a second that sound of this kind takes: what stray bytes are counted at.
    pub(super) fn min_bits_per_second(&self) -> u64 {
        self.codec.min_bits_per_second()
    }
}

/// What counts `codec`, or the name that it is refused by.
fn counter(codec: Codec, params: &TrackParams, container: Container) -> Result<Box<dyn Count + Send>, String> {
    Ok(match codec.counting() {
        // WAV says nothing of packets, and players cut it wherever they like: what is told by a packet's first bytes is not told.
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
    /// Begins another packet, and says what of it is wanted.
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

/// Runs packets through a counter, in pieces of seven bytes; what they play in milliseconds.
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
