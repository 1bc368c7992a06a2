//! AAC: the core that is decoded (ISO/IEC 14496-3 §1.6.2).
//!
//! Of HE-AAC the core alone is decoded: its bandwidth is half of the whole, and more than the 8 kHz that are kept. The second
//! version adds stereo to a core of one channel, which is the mix that is wanted.

use super::decode::Undecoded;
use crate::intake::media::TrackParams;

/// The number of samples of a packet.
pub(super) const SAMPLES: u64 = 1024;

const LOW_COMPLEXITY: u32 = 2;
const SPECTRAL_BAND_REPLICATION: u32 = 5;
const PARAMETRIC_STEREO: u32 = 29;
const ESCAPE: u32 = 31;
const EXPLICIT_RATE: u32 = 15;
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The core of a stream: low complexity, one or two channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Core {
    pub(super) rate: u32,
    channels: u32,
}

impl Core {
    /// Reads the `AudioSpecificConfig` of a track.
    pub(super) fn new(params: &TrackParams) -> Result<Self, Undecoded> {
        let core = if params.setup.is_empty() {
            Self { rate: params.rate, channels: params.channels.into() }
        } else {
            Self::read(&mut Bits { bytes: &params.setup, at: 0 })?
        };
        if !RATES.contains(&core.rate) {
            return Err(Undecoded::Feature("has a rate that AAC does not have"));
        }
        if !matches!(core.channels, 1 | 2) {
            return Err(Undecoded::Feature("has more than two channels of AAC"));
        }
        Ok(core)
    }

    fn read(bits: &mut Bits<'_>) -> Result<Self, Undecoded> {
        let cut = Undecoded::Feature("has a configuration that is cut off");
        let mut object = bits.object_type().ok_or(cut)?;
        let rate = bits.rate().ok_or(cut)?;
        let channels = bits.take(4).ok_or(cut)?;
        if matches!(object, SPECTRAL_BAND_REPLICATION | PARAMETRIC_STEREO) {
            bits.rate().ok_or(cut)?;
            object = bits.object_type().ok_or(cut)?;
        }
        if object != LOW_COMPLEXITY {
            return Err(Undecoded::Feature("has another kind of AAC than low complexity"));
        }
        if bits.take(1) == Some(1) {
            return Err(Undecoded::Feature("has AAC packets of 960 samples"));
        }
        Ok(Self { rate, channels })
    }

    /// Returns the configuration of the core alone.
    pub(super) fn config(self) -> Vec<u8> {
        let index = RATES.iter().position(|rate| *rate == self.rate).unwrap_or_default();
        let index = u32::try_from(index).unwrap_or_default();
        let [.., high, low] = (LOW_COMPLEXITY << 11 | index << 7 | self.channels << 3).to_be_bytes();
        vec![high, low]
    }
}

/// A reader of bits, the highest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.take(5)? {
            ESCAPE => self.take(6).map(|more| 32 + more),
            object => Some(object),
        }
    }

    fn rate(&mut self) -> Option<u32> {
        match self.take(4)? {
            EXPLICIT_RATE => self.take(24),
            index => RATES.get(usize::try_from(index).ok()?).copied(),
        }
    }
}
