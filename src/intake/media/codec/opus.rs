//! Opus: the duration of a packet, from its first bytes (RFC 6716 §3.1 and §3.2).
//!
//! A packet of several streams is as long as its first stream, which begins with the same bytes (RFC 7845 §5.1.1).

use super::played::Played;
use super::{Count, Head, Wants};

/// The rate in which Opus counts, for any recording (RFC 7845 §5.1).
const RATE: u32 = 48_000;
/// The maximum number of samples in a packet, 120 ms (RFC 6716 §3.2.5, requirement R5). A decoder refuses a packet that
/// claims more.
const MAX_SAMPLES: u64 = 5_760;

/// Returns the number of samples in `packet`; 0 if it is empty or its count is missing.
fn samples(packet: &[u8]) -> u64 {
    let Some((&toc, rest)) = packet.split_first() else { return 0 };
    // The modes by configuration number: SILK up to 11, hybrid up to 15, then CELT.
    let frame = match (toc >> 3, toc >> 3 & 0b11) {
        (0..16, 0) | (12.., 2) => 480,
        (0..16, 1) | (12.., 3) => 960,
        (0..12, 2) => 1920,
        (0..12, _) => 2880,
        (_, 0) => 120,
        (_, _) => 240,
    };
    let frames = match toc & 0b11 {
        0 => 1,
        1 | 2 => 2,
        _ => rest.first().map_or(0, |count| u64::from(count & 0b11_1111)),
    };
    (frame * frames).min(MAX_SAMPLES)
}

/// A counter of Opus packets.
#[derive(Debug, Default)]
pub(super) struct Opus {
    head: Head<2>,
    played: Played,
}

impl Count for Opus {
    fn begin(&mut self, _size: u64) -> Wants {
        self.head.clear()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.head.push(bytes);
    }

    fn end(&mut self) {
        self.played.add(samples(self.head.bytes()), RATE);
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (packet, micros) in [
            (&[0b0100_1000][..], 20_000),
            (&[0b0001_1000], 60_000),
            (&[0b0110_1001], 40_000),
            (&[0b1111_1011, 3], 60_000),
            (&[0b1000_0011, 48], 120_000),
            (&[0b1111_1011, 0b1000_0010], 40_000),
            (&[0b0001_1011, 63], 120_000),
            (&[0b1111_1011], 0),
            (&[], 0),
        ] {
            assert_eq!(samples(packet) * 1000 / 48, micros, "{packet:x?}");
        }
    }
}
