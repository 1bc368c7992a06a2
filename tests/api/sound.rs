//! Recordings: made here where any will do, else from `tests/media`.

use std::path::PathBuf;

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

/// The folder of recordings.
pub(crate) fn media() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/media")
}

/// A recording of that folder.
pub(crate) fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(media().join(name)).unwrap()
}
