//! AAC's configuration, which comes before the first packet (ISO/IEC 14496-3 §1.6.2).

use super::super::bits::Bits;

/// The sampling rates by index (table 1.18).
pub(super) const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// The object type of the low complexity profile.
const LOW_COMPLEXITY: u8 = 2;

/// The parts of an `AudioSpecificConfig` that matter for time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) object: u8,
    /// The index of the sampling frequency, or of the nearest one.
    pub(super) index: usize,
    /// The number of samples a second.
    pub(super) rate: u32,
    /// The number of samples in a frame.
    pub(super) samples: u32,
}

impl Config {
    /// Creates the configuration of a track with only a known rate.
    pub(super) fn from_rate(rate: u32) -> Self {
        Self { object: LOW_COMPLEXITY, index: nearest(rate), rate, samples: 1024 }
    }

    /// Reads an `AudioSpecificConfig`. Returns `None` if it ends too early, and an error with the name of an object
    /// that is not AAC.
    pub(super) fn parse(setup: &[u8]) -> Result<Option<Self>, String> {
        let mut bits = Bits::new(setup);
        let Some((object, rate)) = head(&mut bits) else { return Ok(None) };
        let samples = match object {
            32..=34 => return Err("mp3on4".to_owned()),
            36 => return Err("mp4als".to_owned()),
            42 => return Ok(unified(&mut bits)),
            1..=4 | 17 | 19 => [1024, 960],
            23 | 39 => [512, 480],
            _ => return Err(format!("aac (MPEG-4 audio object type {object})")),
        };
        let Some(shortened) = bits.flag() else { return Ok(None) };
        let [long, short] = samples;
        let samples = if shortened { short } else { long };
        Ok(Some(Self { object, index: nearest(rate), rate, samples }))
    }
}

/// Reads the object type and the rate; of the core, if the bandwidth is extended.
fn head(bits: &mut Bits<'_>) -> Option<(u8, u32)> {
    let mut object = object(bits)?;
    let rate = rate(bits, 4)?;
    bits.skip(4)?;
    if matches!(object, 5 | 29) {
        self::rate(bits, 4)?;
        object = self::object(bits)?;
    }
    Some((object, rate))
}

fn object(bits: &mut Bits<'_>) -> Option<u8> {
    let object = match bits.take(5)? {
        31 => 32 + bits.take(6)?,
        object => object,
    };
    u8::try_from(object).ok()
}

/// Reads a rate: as an index of `index_bits` bits, or in full after an index of all ones.
fn rate(bits: &mut Bits<'_>, index_bits: u32) -> Option<u32> {
    let index = bits.take(index_bits)?;
    let rate =
        if index == (1 << index_bits) - 1 { bits.take(24)? } else { *RATES.get(usize::try_from(index).ok()?)? };
    (rate > 0).then_some(rate)
}

/// Reads a `UsacConfig` (ISO/IEC 23003-3 §5.2), which counts frames in samples of the output.
fn unified(bits: &mut Bits<'_>) -> Option<Config> {
    let rate = rate(bits, 5)?;
    let samples = match bits.take(3)? {
        0 => 768,
        1 => 1024,
        2 | 3 => 2048,
        4 => 4096,
        _ => return None,
    };
    Some(Config { object: 42, index: nearest(rate), rate, samples })
}

/// Returns the index whose tables serve `rate` (table 4.82).
fn nearest(rate: u32) -> usize {
    const FROM: [u32; 11] = [92_017, 75_132, 55_426, 46_009, 37_566, 27_713, 23_004, 18_783, 13_856, 11_502, 9_391];
    FROM.iter().position(|from| rate >= *from).unwrap_or(FROM.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_how_long_a_frame_plays() {
        let parse =
            |setup: &[u8]| Config::parse(setup).unwrap().map(|config| (config.object, config.rate, config.samples));
        assert_eq!(parse(&[0x12, 0x10]), Some((2, 44_100, 1024)));
        assert_eq!(parse(&[0x14, 0x0c]), Some((2, 16_000, 960)));
        // High efficiency with explicit signalling: 24 kHz below 48 kHz.
        assert_eq!(parse(&[0x2b, 0x11, 0x88, 0x00]), Some((2, 24_000, 1024)));
        // Low delay, and enhanced low delay with 480 samples.
        assert_eq!(parse(&[0xb9, 0x90, 0x00]), Some((23, 48_000, 512)));
        assert_eq!(parse(&[0xf8, 0xe6, 0x30, 0x00]), Some((39, 48_000, 480)));
        // xHE-AAC at 24 kHz with frames of 2048 samples.
        assert_eq!(parse(&[0xf9, 0x4c, 0x26, 0x40]), Some((42, 24_000, 2048)));
        assert_eq!((parse(&[]), parse(&[0x12])), (None, None));
    }

    #[test]
    fn what_is_no_aac_has_a_name() {
        for (setup, name) in [
            ([0xf8, 0x49, 0x10], "mp3on4"),
            ([0xf8, 0x89, 0x10], "mp4als"),
            ([0x41, 0x10, 0], "aac (MPEG-4 audio object type 8)"),
        ] {
            assert_eq!(Config::parse(&setup), Err(name.to_owned()));
        }
    }
}
