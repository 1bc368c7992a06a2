//! WAV: samples to a file of 16 kHz, mono, 16 bit, for providers that take no FLAC.

use super::samples::Samples;

/// The number of bytes before the first sample.
pub(super) const HEAD: usize = 44;
const BYTES_PER_SAMPLE: u32 = 2;

/// Appends samples to `out`.
pub(super) fn push(samples: &[i16], out: &mut Vec<u8>) {
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
}

/// Returns the [`HEAD`] bytes before `samples` samples.
pub(super) fn head(samples: u64) -> Vec<u8> {
    // A piece is far below the 4 GiB that a RIFF file can have.
    let data = u32::try_from(samples.saturating_mul(u64::from(BYTES_PER_SAMPLE))).unwrap_or(u32::MAX);
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    head.extend_from_slice(&Samples::RATE.to_le_bytes());
    head.extend_from_slice(&(Samples::RATE * BYTES_PER_SAMPLE).to_le_bytes());
    head.extend_from_slice(b"\x02\0\x10\0data");
    head.extend_from_slice(&data.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_its_samples_and_says_how_many() {
        let samples = [0, 1, -1, i16::MIN, i16::MAX];
        let mut file = head(5);
        assert_eq!(file.len(), HEAD);
        push(&samples, &mut file);
        assert_eq!(file[4..8], 46_u32.to_le_bytes());
        assert_eq!(file[40..44], 10_u32.to_le_bytes());
        let written: Vec<_> = file[HEAD..].chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        assert_eq!(written, samples);
    }
}
