//! MPEG audio frame headers, layers II and III (ISO/IEC 11172-3 §2.4.2.3, 13818-3, and the unofficial MPEG-2.5).

use std::time::Duration;

const LAYER_3_MPEG_1: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const LAYER_2_MPEG_1: [u32; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const MPEG_2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// One frame, as its four bytes of header describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// The size of the whole frame.
    pub(super) bytes: u64,
    samples: u32,
    rate: u32,
    layer_3: bool,
}

impl Frame {
    /// `None` for what is no header, and for a free bit rate, which decoders do not take either.
    pub(super) fn parse(head: [u8; 4]) -> Option<Self> {
        let [sync, version_and_layer, rates, _] = head;
        if sync != 0xff || version_and_layer & 0xe0 != 0xe0 {
            return None;
        }
        let (mpeg_1, divisor) = match version_and_layer >> 3 & 0b11 {
            0b11 => (true, 1),
            0b10 => (false, 2),
            0b00 => (false, 4),
            _ => return None,
        };
        let layer_3 = match version_and_layer >> 1 & 0b11 {
            0b01 => true,
            0b10 => false,
            _ => return None,
        };
        let table = match (mpeg_1, layer_3) {
            (true, true) => LAYER_3_MPEG_1,
            (true, false) => LAYER_2_MPEG_1,
            (false, _) => MPEG_2,
        };
        let kilobits = *table.get(usize::from(rates >> 4)).filter(|&&kilobits| kilobits > 0)?;
        let rate = RATES.get(usize::from(rates >> 2 & 0b11))? / divisor;
        let samples = if layer_3 && !mpeg_1 { 576 } else { 1152 };
        let padding = u32::from(rates >> 1 & 1);
        Some(Self { bytes: u64::from(samples / 8 * kilobits * 1000 / rate + padding), samples, rate, layer_3 })
    }

    /// How long the frame plays.
    pub(super) fn duration(self) -> Duration {
        Duration::from_nanos(u64::from(self.samples) * 1_000_000_000 / u64::from(self.rate))
    }

    /// Whether both could be of one stream, in which only the bit rate changes.
    pub(super) fn matches(self, other: Self) -> bool {
        (self.samples, self.rate, self.layer_3) == (other.samples, other.rate, other.layer_3)
    }
}

/// The first frame in `bytes` that is followed by enough others like it. At the very start one follower is enough;
/// further in, where chance is to be reckoned with, it takes two. `ends` says that the file ends with `bytes`, so that a
/// last frame may be followed by nothing.
pub(super) fn find(bytes: &[u8], ends: bool) -> Option<usize> {
    (0..bytes.len()).find(|&at| {
        let followers = if at == 0 { 1 } else { 2 };
        let mut next = at;
        let mut first: Option<Frame> = None;
        for seen in 0..=followers {
            let Some(frame) = header(bytes, next) else { return seen > 0 && ends && next == bytes.len() };
            if first.is_some_and(|first| !first.matches(frame)) {
                return false;
            }
            first.get_or_insert(frame);
            next = next.saturating_add(usize::try_from(frame.bytes).unwrap_or(usize::MAX));
        }
        true
    })
}

fn header(bytes: &[u8], at: usize) -> Option<Frame> {
    bytes.get(at..)?.first_chunk().copied().and_then(Frame::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_gives_size_and_length() {
        let frame = Frame::parse([0xff, 0xfb, 0x90, 0x00]).unwrap();
        assert_eq!((frame.bytes, frame.duration().as_micros()), (417, 26_122));
        let frame = Frame::parse([0xff, 0xf3, 0x48, 0xc0]).unwrap();
        assert_eq!((frame.bytes, frame.duration().as_millis()), (144, 36));
        let frame = Frame::parse([0xff, 0xe3, 0x18, 0xc0]).unwrap();
        assert_eq!((frame.bytes, frame.duration().as_millis()), (72, 72));
    }

    #[test]
    fn what_is_no_header_gives_nothing() {
        for head in [*b"text", [0xff, 0xf1, 0x50, 0x80], [0xff, 0xfb, 0x00, 0x00], [0xff, 0xfb, 0xf0, 0x00], [0xff; 4]]
        {
            assert_eq!(Frame::parse(head), None, "{head:x?}");
        }
    }
}
