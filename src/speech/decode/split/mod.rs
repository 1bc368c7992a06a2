//! Splitters: a stream of bytes becomes frames, which a decoder takes.
//!
//! - `buffer`: the bytes that wait
//! - `even`: frames of one size, as of PCM and of ADPCM
//! - `mpeg`, `flac`: frames that are found by their headers

mod buffer;
mod even;
mod flac;
mod mpeg;

pub(super) use buffer::Unit;

use std::ops::Range;

use super::codec::PcmFormat;
use crate::intake::media::TrackParams;

/// A splitter of the stream of one track.
pub(super) enum Splitter {
    Even(even::Even),
    Mpeg(mpeg::Mpeg),
    Flac(flac::Flac),
}

impl Splitter {
    /// Returns the splitter for a track; `None` if its codec is never in a bare stream.
    pub(super) fn new(params: &TrackParams) -> Option<Self> {
        if let Some(format) = PcmFormat::of(params) {
            return Some(Self::Even(even::Even::pcm(format.frame_bytes())));
        }
        match params.codec.as_ref().ok()?.name() {
            "mp1" | "mp2" | "mp3" => Some(Self::Mpeg(mpeg::Mpeg::default())),
            "flac" => Some(Self::Flac(flac::Flac::default())),
            name if name.starts_with("adpcm_") => {
                let block = usize::try_from(params.block_bytes).ok().filter(|block| *block > 0)?;
                Some(Self::Even(even::Even::blocks(block)))
            }
            _ => None,
        }
    }

    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Even(even) => even.push(bytes),
            Self::Mpeg(mpeg) => mpeg.push(bytes),
            Self::Flac(flac) => flac.push(bytes),
        }
    }

    /// Ends the stream: what waits for more bytes will get none.
    pub(super) fn end(&mut self) {
        match self {
            Self::Even(_) => {}
            Self::Mpeg(mpeg) => mpeg.end(),
            Self::Flac(flac) => flac.end(),
        }
    }

    /// Returns the next unit, or `None` if there is none in the bytes so far.
    pub(super) fn next(&mut self) -> Option<Unit> {
        match self {
            Self::Even(even) => even.next(),
            Self::Mpeg(mpeg) => mpeg.next(),
            Self::Flac(flac) => flac.next(),
        }
    }

    /// Gives back the memory that nothing needs until more bytes come. Positions of frames are not valid afterwards.
    pub(super) fn trim(&mut self) {
        match self {
            Self::Even(even) => even.trim(),
            Self::Mpeg(_) | Self::Flac(_) => {}
        }
    }

    /// Returns the bytes of a frame.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        match self {
            Self::Even(even) => even.bytes(range),
            Self::Mpeg(mpeg) => mpeg.bytes(range),
            Self::Flac(flac) => flac.bytes(range),
        }
    }
}
