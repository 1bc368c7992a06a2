//! AAC: the number of raw data blocks in a packet.
//!
//! A packet usually holds one block. But a decoder that has read a block continues with the rest of the packet, and a
//! block does not state its length. So this module reads blocks from their first bit to their last, without decoding
//! samples.
//!
//! - `config`: the configuration before the first packet
//! - `block`: a block, from its first bit to its last; `elements`: its elements without sound
//! - `bands`, `huffman`: the tables for `block`

mod bands;
mod block;
mod config;
mod elements;
mod huffman;
#[cfg(test)]
mod tests;

use super::bits::Bits;
use super::played::Played;
use super::{Count, TrackParams, Wants};
use block::Reader;
use config::{Config, RATES};

/// The maximum number of bytes of one channel's share of a block (ISO/IEC 14496-3 §4.5.3.1: 6144 bits).
const MAX_CHANNEL_BYTES: u64 = 768;
/// The maximum number of bytes of a packet held at once: more than any block takes unless it was padded on purpose.
const MAX_HELD: usize = 64 * 1024;
/// The minimum number of bytes of a block with sound: one channel of silence.
const MIN_BLOCK_BYTES: u64 = 4;

/// A counter of AAC packets.
#[derive(Debug)]
pub(super) struct Aac {
    config: Config,
    /// The reader of blocks; `None` if a packet is one frame.
    reader: Option<Reader>,
    max_block_bytes: u64,
    /// The bytes of the packet that were not read yet.
    held: Vec<u8>,
    state: State,
    played: Played,
    stray: u64,
}

/// The state of reading a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Blocks follow each other.
    Reading,
    /// The rest of the packet is no block; this many bytes of it were skipped.
    Lost(u64),
    /// The rest of the packet begins with a block too large to hold. As many blocks may follow as this many bytes can
    /// contain.
    Unknown(u64),
}

impl Aac {
    /// Creates a counter for a track with `params`. The error is the name under which the track is refused.
    pub(super) fn new(params: &TrackParams) -> Result<Self, String> {
        match (Config::parse(&params.setup)?, params.rate) {
            (Some(config), _) => Ok(Self::from_config(config, params.channels)),
            (None, 0) => Err("aac without a sampling rate".to_owned()),
            (None, rate) => Ok(Self::from_config(Config::from_rate(rate), params.channels)),
        }
    }

    /// Creates a counter for a track with only a known rate.
    pub(super) fn from_rate(rate: u32) -> Self {
        Self::from_config(Config::from_rate(rate), 0)
    }

    fn from_config(config: Config, channels: u16) -> Self {
        let reader =
            if config.object > 4 { None } else { Reader::new(config.object, config.index, config.samples == 960) };
        // Eight channels are assumed if the number is unknown.
        let max_block_bytes = MAX_CHANNEL_BYTES * u64::from(channels.max(8));
        let (held, played) = (Vec::new(), Played::default());
        Self { config, reader, max_block_bytes, held, state: State::Reading, played, stray: 0 }
    }

    fn count(&mut self) {
        self.played.add(self.config.samples.into(), self.config.rate);
    }

    /// Reads the held bytes. `whole`: no bytes of the packet follow.
    fn read(&mut self, whole: bool) {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while self.state == State::Reading && !rest.is_empty() && (whole || rest.len() > MAX_HELD / 2) {
            // Decoders take zeros after a block for the packet's end.
            if whole && rest.len() < held.len() && rest.iter().all(|&byte| byte == 0) {
                rest = &[];
                break;
            }
            match self.block(rest) {
                Some(after) => rest = after,
                None => self.state = if whole { State::Lost(0) } else { State::Unknown(0) },
            }
        }
        if let State::Lost(bytes) | State::Unknown(bytes) = &mut self.state {
            *bytes = bytes.saturating_add(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            rest = &[];
        }
        let used = held.len() - rest.len();
        self.held = held;
        self.held.drain(..used);
    }

    /// Reads a block, after its ADTS header if there is one. Returns the bytes after it.
    fn block<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let mut bits = Bits::new(bytes);
        if let Some(header) = Adts::parse(bytes) {
            if header.index != self.config.index || header.object != self.config.object {
                self.reader = Reader::new(header.object, header.index, self.config.samples == 960);
                let rate = *RATES.get(header.index)?;
                self.config = Config { object: header.object, index: header.index, rate, ..self.config };
            }
            bits.skip(header.bytes * 8)?;
        }
        if self.reader.as_mut()?.read(&mut bits)? {
            self.count();
        }
        bytes.get(bits.position().div_ceil(8)..)
    }
}

/// The head of an ADTS frame (ISO/IEC 14496-3 §1.A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Adts {
    object: u8,
    index: usize,
    /// The size of the head in bytes.
    bytes: usize,
    /// The size of the whole frame in bytes, if the stated size is possible.
    pub(super) frame_bytes: Option<u64>,
}

impl Adts {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[0xff, second, third, high, middle, low, _] = bytes.first_chunk::<7>()? else { return None };
        if second & 0xf0 != 0xf0 {
            return None;
        }
        let index = usize::from(third >> 2 & 0x0f);
        RATES.get(index)?;
        let size = u32::from_be_bytes([0, high & 0b11, middle, low]) >> 5;
        let frame_bytes = (size >= 7 && second & 0x06 == 0).then_some(size.into());
        Some(Self { object: (third >> 6) + 1, index, bytes: if second & 1 == 0 { 9 } else { 7 }, frame_bytes })
    }
}

impl Count for Aac {
    fn begin(&mut self, size: u64) -> Wants {
        self.held.clear();
        self.state = State::Reading;
        if self.reader.is_some() {
            return Wants::Everything;
        }
        if size > 0 {
            self.count();
            self.stray = self.stray.saturating_add(size.saturating_sub(self.max_block_bytes));
        }
        Wants::Nothing
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        if self.reader.is_none() {
            return;
        }
        while !bytes.is_empty() {
            let count = bytes.len().min(MAX_HELD - self.held.len());
            let (now, later) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == MAX_HELD {
                self.read(false);
            }
        }
    }

    fn end(&mut self) {
        if self.reader.is_none() {
            return;
        }
        self.read(true);
        match self.state {
            State::Reading => {}
            // Damaged bytes count as one block, for decoders that conceal it. No block exceeds the maximum size.
            State::Lost(bytes) => {
                self.count();
                self.stray = self.stray.saturating_add(bytes.saturating_sub(self.max_block_bytes));
            }
            State::Unknown(bytes) => {
                let samples = (bytes / MIN_BLOCK_BYTES).saturating_mul(self.config.samples.into());
                self.played.add(samples, self.config.rate);
            }
        }
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }

    fn stray(&self) -> u64 {
        self.stray
    }
}
