//! The file format of pieces.

/// The file format of pieces: 16 kHz, mono, 16 bit in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// FLAC, about half the size.
    Flac,
    /// WAV, for providers that take nothing else.
    Wav,
}
