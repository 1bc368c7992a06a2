//! Tests of whole recordings that need no program to make them.

use std::io::Cursor;

use proptest::prelude::*;

use super::{Reason, SoundError, SoundReader};
use crate::domain::{AudioMs, Length};
use crate::intake::media::{Container, MediaInfo, inspect};

/// Makes a WAV file of 16 bits.
fn wav(rate: u32, channels: u16, interleaved: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = interleaved.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let size = u32::try_from(data.len()).unwrap();
    let frame = channels * 2;
    [
        &b"RIFF"[..],
        &(36 + size).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &size.to_le_bytes(),
        &data,
    ]
    .concat()
}

fn info(bytes: &[u8]) -> MediaInfo {
    inspect(Cursor::new(bytes), bytes.len().try_into().unwrap()).unwrap()
}

fn decode_as(bytes: &[u8], info: &MediaInfo) -> Result<Vec<f32>, SoundError> {
    let mut reader = SoundReader::open(Cursor::new(bytes), info)?;
    let mut samples = Vec::new();
    while let Some(block) = reader.next()? {
        samples.extend_from_slice(block);
    }
    Ok(samples)
}

fn decode(bytes: &[u8]) -> Result<Vec<f32>, SoundError> {
    decode_as(bytes, &info(bytes))
}

#[test]
fn samples_of_sixteen_kilohertz_are_not_changed() {
    let written: Vec<i16> = (0..40_000_i32).map(|at| i16::try_from(at * 7919 % 60_000 - 30_000).unwrap()).collect();
    let expected: Vec<f32> = written.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    assert_eq!(decode(&wav(16_000, 1, &written)).unwrap(), expected);
}

#[test]
fn channels_are_mixed_to_their_mean() {
    let written: Vec<i16> = (0..9_000).flat_map(|_| [3_000, 1_000, 2_000, 0, 0, 6_000]).collect();
    let samples = decode(&wav(16_000, 6, &written)).unwrap();
    assert_eq!(samples.len(), 9_000);
    assert!(samples.iter().all(|sample| (sample * 32_768.0 - 2_000.0).abs() < 0.1));
}

#[test]
fn rates_that_no_recorder_has_are_refused() {
    for rate in [7_999, 192_001] {
        let bytes = wav(rate, 1, &vec![0; 40_000]);
        let Err(SoundError::NotUnderstood { reason, .. }) = decode(&bytes) else { panic!("{rate}") };
        assert!(matches!(reason, Reason::Rate { rate: found } if found == rate), "{reason}");
    }
}

#[test]
fn a_recording_without_a_sample_is_refused() {
    let bytes = wav(16_000, 1, &[]);
    let length = Length::Measured(AudioMs::new(1));
    let size = bytes.len().try_into().unwrap();
    let info = MediaInfo { container: Container::Wav, is_fragmented: false, codec: None, length, bytes: size };
    let Err(SoundError::NotUnderstood { reason, .. }) = decode_as(&bytes, &info) else { panic!() };
    assert!(matches!(reason, Reason::NoSound), "{reason}");
}

/// A source of which more arrives with each read that fails.
struct Arriving<'a> {
    bytes: Cursor<&'a [u8]>,
    arrived: u64,
    more: u64,
}

impl std::io::Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let there = self.arrived.saturating_sub(self.bytes.position());
        let is_end = self.arrived >= self.bytes.get_ref().len().try_into().unwrap();
        if there == 0 && !is_end {
            self.arrived += self.more;
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        self.bytes.read(&mut buffer[..count])
    }
}

impl std::io::Seek for Arriving<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_recording_that_is_still_arriving_decodes_alike() {
    let written: Vec<i16> = (0..60_000_i32).map(|at| i16::try_from(at * 7919 % 60_000 - 30_000).unwrap()).collect();
    let bytes = wav(44_100, 2, &written);
    let mut sound = Vec::new();
    let source = Arriving { bytes: Cursor::new(&bytes), arrived: 5_000, more: 7_001 };
    let mut reader = SoundReader::open(source, &info(&bytes)).unwrap();
    let mut waits = 0;
    loop {
        match reader.next() {
            Ok(Some(block)) => sound.extend_from_slice(block),
            Ok(None) => break,
            Err(SoundError::NotArrived) => waits += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(waits > 10, "{waits}");
    assert_eq!(sound, decode(&bytes).unwrap());
}

#[test]
fn a_client_that_has_gone_ends_the_decoding() {
    struct Gone(Cursor<Vec<u8>>);
    impl std::io::Read for Gone {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.position() > 100_000 {
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
            self.0.read(buffer)
        }
    }
    impl std::io::Seek for Gone {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }
    let bytes = wav(16_000, 1, &vec![5; 400_000]);
    let mut reader = SoundReader::open(Gone(Cursor::new(bytes.clone())), &info(&bytes)).unwrap();
    let error = loop {
        if let Err(error) = reader.next() {
            break error;
        }
    };
    assert!(matches!(error, SoundError::Io(_)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_length_is_that_of_the_recording(rate in 8_000_u32..=192_000, samples in 1_usize..30_000, channels in 1_u16..4) {
        let bytes = wav(rate, channels, &vec![100; samples * usize::from(channels)]);
        let decoded = decode(&bytes).unwrap().len();
        let exact = u64::try_from(samples).unwrap() * 16_000;
        prop_assert_eq!(u64::try_from(decoded).unwrap(), exact.div_ceil(u64::from(rate)));
    }
}
