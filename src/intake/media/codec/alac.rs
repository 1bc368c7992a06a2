//! ALAC: a packet is one frame. Its first element or the cookie gives the number of samples (Apple's
//! `ALACMagicCookieDescription`, and the head of an element in the reference decoder).

use super::bits::Bits;
use super::played::Played;
use super::{Count, Head, TrackParams, Wants};

/// A counter of ALAC packets.
#[derive(Debug)]
pub(super) struct Alac {
    /// The number of samples in a frame that does not state it.
    frame: u32,
    rate: u32,
    head: Head<8>,
    played: Played,
}

impl Alac {
    pub(super) fn new(params: &TrackParams) -> Result<Self, String> {
        // The cookie is the last 24 bytes; in MP4 it follows the head and the version of a box, in old files it is
        // within other boxes.
        let setup = match memchr::memmem::rfind(&params.setup, b"alac") {
            Some(at) => params.setup.get(at + 8..).unwrap_or_default(),
            None => &params.setup,
        };
        let field = |at: usize| setup.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_be_bytes);
        let (frame, stated) = (field(0), field(20));
        let rate = if params.rate == 0 || stated == 0 { params.rate.max(stated) } else { params.rate.min(stated) };
        if frame == 0 || rate == 0 {
            return Err("alac without its configuration".to_owned());
        }
        Ok(Self { frame, rate, head: Head::default(), played: Played::default() })
    }

    /// Returns the number of samples in a packet that begins with `head`: an element's kind and number, 12 unused bits,
    /// a flag for a size, three bits about the storage, the size.
    fn samples(&self, head: &[u8]) -> Option<u32> {
        let mut bits = Bits::new(head);
        bits.skip(3 + 4 + 12)?;
        let sized = bits.flag()?;
        bits.skip(3)?;
        Some(if sized { bits.take(32)?.min(self.frame) } else { self.frame })
    }
}

impl Count for Alac {
    fn begin(&mut self, _size: u64) -> Wants {
        self.head.clear()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.head.push(bytes);
    }

    fn end(&mut self) {
        let samples = self.samples(self.head.bytes()).unwrap_or_default();
        self.played.add(samples.into(), self.rate);
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::written;
    use super::super::play;
    use super::*;

    fn cookie(rate: u32) -> Vec<u8> {
        [&4096_u32.to_be_bytes()[..], &[0; 16], &rate.to_be_bytes()].concat()
    }

    #[test]
    fn a_packet_is_a_frame_that_may_say_its_length() {
        let full = written(&[(0, 3 + 4 + 12), (0, 1), (0, 3), (0, 32)], false);
        let short = |samples| written(&[(1, 3), (0, 16), (1, 1), (0, 3), (samples, 32), (0, 8)], false);
        let boxed = [&[0, 0, 0, 36][..], b"alac", &[0; 4], &cookie(16_000)].concat();
        for setup in [cookie(16_000), boxed, cookie(0)] {
            let mut alac = Alac::new(&TrackParams { setup, rate: 16_000, ..TrackParams::default() }).unwrap();
            assert_eq!(play(&mut alac, [&full[..], &short(160), &short(9_999_999), &[]]), 256 + 10 + 256);
        }
        assert!(Alac::new(&TrackParams::default()).is_err());
    }
}
