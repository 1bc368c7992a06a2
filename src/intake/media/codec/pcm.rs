//! PCM: samples with a fixed number of bytes for each channel.

use super::played::Played;
use super::table::Codec;
use super::{Count, TrackParams, Wants};

/// A counter of PCM, which uses only the sizes of packets.
#[derive(Debug)]
pub(super) struct Pcm {
    /// The number of bytes of one sample of all channels.
    frame_bytes: u64,
    rate: u32,
    played: Played,
}

impl Pcm {
    pub(super) fn new(codec: Codec, bits: u16, params: &TrackParams) -> Result<Self, String> {
        let TrackParams { rate, channels, .. } = *params;
        let frame_bytes = u64::from(bits / 8) * u64::from(channels);
        if rate == 0 || frame_bytes == 0 {
            return Err(format!("{codec} of {channels} channels at {rate} Hz"));
        }
        Ok(Self { frame_bytes, rate, played: Played::default() })
    }
}

impl Count for Pcm {
    /// Begins a packet. Decoders drop the bytes after its last whole sample.
    fn begin(&mut self, size: u64) -> Wants {
        self.played.add(size / self.frame_bytes, self.rate);
        Wants::Nothing
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{play, table};
    use super::*;

    #[test]
    fn samples_are_counted_by_their_size() {
        let params = |rate, channels| TrackParams { rate, channels, ..TrackParams::default() };
        let mut pcm = Pcm::new(table::PCM_S24LE, 24, &params(8_000, 2)).unwrap();
        // The bytes after the last whole sample of a packet are dropped.
        assert_eq!(play(&mut pcm, [&[0; 4_805][..], &[0; 5], &[0; 4_800]]), 200);
        let error = Pcm::new(table::PCM_U8, 8, &params(0, 1)).unwrap_err();
        assert_eq!(error, "pcm_u8 of 1 channels at 0 Hz");
        assert!(Pcm::new(table::PCM_U8, 8, &params(8_000, 0)).is_err());
    }
}
