//! Recordings: made here where any will do, else from `tests/media`.

use std::path::PathBuf;

use super::flac::checksum;

const HEADER: usize = 44;
const BYTES_PER_MS: usize = 32;

/// `ms` milliseconds of silence: PCM, 16 bit, 16 kHz, one channel.
pub(crate) fn wav(ms: usize) -> Vec<u8> {
    wav_of_bytes(HEADER + ms * BYTES_PER_MS)
}

/// A recording that is `bytes` long with its header.
pub(crate) fn wav_of_bytes(bytes: usize) -> Vec<u8> {
    let data = u32::try_from(bytes - HEADER).unwrap();
    let mut wav = Vec::with_capacity(bytes);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(data + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(&32_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&data.to_le_bytes());
    wav.resize(bytes, 0);
    wav
}

/// Samples in a frame of [`flac`].
const FRAME: usize = 4096;

/// `frames` frames of 256 ms, in FLAC that packs nothing: 8201 bytes each. It says that it has `stated` samples.
pub(crate) fn flac(frames: u8, stated: u32) -> Vec<u8> {
    let mut flac = b"fLaC\x80\0\0\x22".to_vec();
    flac.extend_from_slice(&[0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    // 16 kHz in 20 bits, one channel, 16 bits a sample, then the samples in 36 bits, and no checksum.
    flac.extend_from_slice(&[0x03, 0xe8, 0x00, 0xf0]);
    flac.extend_from_slice(&stated.to_be_bytes());
    flac.resize(flac.len() + 16, 0);
    for number in 0..frames {
        assert!(number < 0x80, "a larger number has two bytes");
        let mut frame = vec![0xff, 0xf8, 0xc5, 0x08, number];
        frame.push(checksum(&frame, 8, 0x07).to_be_bytes()[1]);
        // One subframe, verbatim.
        frame.push(0x02);
        frame.extend((0..FRAME).flat_map(|at| (at % 251 * 100).to_be_bytes().into_iter().skip(6)));
        let sum = checksum(&frame, 16, 0x8005);
        frame.extend_from_slice(&sum.to_be_bytes());
        flac.extend_from_slice(&frame);
    }
    flac
}

/// How many samples so many frames of [`flac`] have.
pub(crate) fn samples(frames: u8) -> u32 {
    u32::from(frames) * u32::try_from(FRAME).unwrap()
}

/// `frames` frames of silence of 24 ms, in MP3 of 128 kbit/s: 384 bytes each.
pub(crate) fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x94, 0xc4];
    frame.resize(384, 0);
    frame.repeat(frames)
}

/// The folder of recordings.
pub(crate) fn media() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/media")
}

/// A recording of that folder.
pub(crate) fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(media().join(name)).unwrap()
}

/// A kind of recording that says how long it is, one of that kind, and its length in milliseconds.
pub(crate) fn of_known_length() -> [(&'static str, Vec<u8>, u64); 3] {
    [("wav", wav(10_000), 10_000), ("flac", flac(40, samples(40)), 10_240), ("mp3", mp3(1000), 24_000)]
}
