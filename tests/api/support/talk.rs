//! Recordings of speech with pauses, and what a provider sees of their pieces.

use super::audio::recorded;
use super::provider::Seen;

const RATE: usize = 16_000;
const HEADER: usize = 44;

/// A recording of somebody who says the same sentence again and again, at 16 kHz.
#[derive(Clone, Default)]
pub(crate) struct Talk(Vec<u8>);

impl Talk {
    /// Says the sentence (2.8 s) so many times, with half a second behind each.
    pub(crate) fn says(mut self, times: usize) -> Self {
        let sentence = recorded("sample.wav");
        for _ in 0..times {
            self.0.extend_from_slice(&sentence[HEADER..]);
            self = self.pause(500);
        }
        self
    }

    /// Is silent for so many milliseconds.
    pub(crate) fn pause(mut self, ms: usize) -> Self {
        self.0.resize(self.0.len() + ms * RATE / 1000 * 2, 0);
        self
    }

    /// The length in milliseconds, rounded up.
    pub(crate) fn ms(&self) -> u64 {
        u64::try_from((self.0.len() / 2 * 1000).div_ceil(RATE)).unwrap()
    }

    /// The samples alone: 16 bit, little-endian.
    pub(crate) fn pcm(&self) -> &[u8] {
        &self.0
    }

    /// The recording as a WAV file.
    pub(crate) fn wav(&self) -> Vec<u8> {
        let data = u32::try_from(self.0.len()).unwrap();
        let mut wav = super::audio::wav(0);
        wav[4..8].copy_from_slice(&(data + 36).to_le_bytes());
        wav[40..44].copy_from_slice(&data.to_le_bytes());
        wav.extend_from_slice(&self.0);
        wav
    }
}

/// The length in samples that the FLAC file of a request states.
pub(crate) fn samples(seen: &Seen) -> u64 {
    let file = &seen.file().body;
    assert!(file.starts_with(b"fLaC\x80\0\0\x22"), "it is no FLAC: {:?}", &file[..file.len().min(8)]);
    let stated = u64::from_be_bytes(file[18..26].try_into().unwrap());
    assert_eq!(stated >> 44, 16_000, "samples a second");
    assert_eq!(stated >> 41 & 7, 0, "channels, less one");
    stated & ((1 << 36) - 1)
}

/// The length in milliseconds of the piece in a request.
pub(crate) fn piece_ms(seen: &Seen) -> u64 {
    samples(seen) / 16
}
