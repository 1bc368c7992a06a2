//! AMR frames of 20 ms: the first byte of a frame has its mode, which determines its size (RFC 4867 §5.3; 3GPP TS
//! 26.101 table 1a and TS 26.201 table 1a).

use super::played::Played;
use super::{Count, Wants};

/// The size of a frame in bytes by its mode, including the first byte; unused modes end a packet.
const NARROW: [u64; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1];
const WIDE: [u64; 16] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1];

/// A counter of AMR packets.
#[derive(Debug)]
pub(super) struct Amr {
    sizes: [u64; 16],
    /// The number of bytes of the current frame that are still to come; `None` if no more frames follow in this packet.
    left: Option<u64>,
    played: Played,
}

impl Amr {
    pub(super) fn narrow() -> Self {
        Self { sizes: NARROW, left: Some(0), played: Played::default() }
    }

    pub(super) fn wide() -> Self {
        Self { sizes: WIDE, ..Self::narrow() }
    }
}

impl Count for Amr {
    fn begin(&mut self, _size: u64) -> Wants {
        self.left = Some(0);
        Wants::Everything
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        while let (Some(left), Some(&first)) = (self.left, bytes.first()) {
            let mut count = left;
            if left == 0 {
                count = self.sizes.get(usize::from(first >> 3 & 0x0f)).copied().unwrap_or_default();
                if count == 0 {
                    self.left = None;
                    return;
                }
                self.played.add(20, 1000);
            }
            let present = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len());
            self.left = Some(count - u64::try_from(present).unwrap_or_default());
            bytes = bytes.get(present..).unwrap_or_default();
        }
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::super::play;
    use super::*;

    #[test]
    fn a_packet_plays_all_frames_that_are_in_it() {
        // The packet has the best mode, comfort noise and no data, then an invalid mode.
        let packet = [&[0x3c; 32][..], &[0x44; 6], &[0x7c], &[0x3c; 32], &[0x5c; 50]].concat();
        assert_eq!(play(&mut Amr::narrow(), [&packet[..], &[0x3c; 31]]), 100);
        assert_eq!(play(&mut Amr::wide(), [&[0x44; 61 * 3][..], &[0x74], &[]]), 80);
    }
}
