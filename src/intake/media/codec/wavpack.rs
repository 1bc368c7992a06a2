//! `WavPack`: a packet is one block, whose head has the number of samples (`WavPack` 4 & 5 Binary File / Block Format).

use super::played::Played;
use super::{Count, Head, TrackParams, Wants};

/// The sampling rates by code.
const RATES: [u32; 15] = [
    6_000, 8_000, 9_600, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000,
    192_000,
];
/// The id of the piece of a block that holds another rate.
const ID_RATE: u8 = 0x27;

/// A counter of `WavPack` packets.
#[derive(Debug)]
pub(super) struct WavPack {
    rate: u32,
    head: Head<512>,
    played: Played,
}

impl WavPack {
    pub(super) fn new(params: &TrackParams) -> Self {
        Self { rate: params.rate, head: Head::default(), played: Played::default() }
    }

    /// Returns the number of samples in a packet, and their rate.
    fn read(&self, head: &[u8]) -> Option<(u32, u32)> {
        let field = |at: usize| head.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes);
        // Matroska leaves out the fields that its own fields replace.
        let (at, pieces) = if head.starts_with(b"wvpk") { (20, 32) } else { (0, 12) };
        let (samples, flags) = (field(at)?, field(at + 4)?);
        // In Matroska a block states its size unless it is both the first and the last of its packet.
        let sized = flags & 0x1800 != 0x1800 && at == 0;
        let pieces = head.get(if sized { pieces + 4 } else { pieces }..).unwrap_or_default();
        let code = usize::try_from(flags >> 23 & 0x0f).ok()?;
        let rate = match RATES.get(code) {
            Some(&rate) => rate,
            None => other_rate(pieces).unwrap_or(self.rate),
        };
        Some((samples, rate))
    }
}

/// Returns the rate in one of a block's pieces.
fn other_rate(mut pieces: &[u8]) -> Option<u32> {
    loop {
        let (&id, rest) = pieces.split_first()?;
        let (words, rest) = if id & 0x80 == 0 {
            let (&words, rest) = rest.split_first()?;
            (usize::from(words), rest)
        } else {
            let (&[a, b, c], rest) = rest.split_first_chunk()?;
            (usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?, rest)
        };
        if id & 0x3f == ID_RATE {
            let &[a, b, c] = rest.first_chunk()?;
            return Some(u32::from_le_bytes([a, b, c, 0]));
        }
        pieces = rest.get(words * 2..)?;
    }
}

impl Count for WavPack {
    fn begin(&mut self, _size: u64) -> Wants {
        self.head.clear()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.head.push(bytes);
    }

    fn end(&mut self) {
        if let Some((samples, rate)) = self.read(self.head.bytes()) {
            self.played.add(samples.into(), rate);
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
    fn a_packet_says_how_many_samples_it_has_and_at_which_rate() {
        let block = |code: u32, flags: u32| {
            [&22_050_u32.to_le_bytes()[..], &(code << 23 | flags).to_le_bytes(), &[0; 4]].concat()
        };
        let params = TrackParams { rate: 11_025, ..TrackParams::default() };
        assert_eq!(play(&mut WavPack::new(&params), [&block(9, 0x1800)[..], &block(6, 0x1800)]), 1_500);
        assert_eq!(play(&mut WavPack::new(&params), [&block(15, 0x1800)[..]]), 2_000);
        // The block's own rate follows another piece, and the size of one of several blocks.
        let pieces = [0x02, 1, 9, 9, 0x67, 2, 0x44, 0xac, 0x00, 0];
        let several = [&block(15, 0x0800)[..], &[0; 4], &pieces].concat();
        assert_eq!(
            play(&mut WavPack::new(&params), [&[&block(15, 0x1800)[..], &pieces].concat()[..], &several]),
            1_000
        );
        let whole = [b"wvpk", &[0; 16][..], &block(9, 0x1800)].concat();
        assert_eq!(play(&mut WavPack::new(&params), [&whole[..]]), 500);
    }
}
