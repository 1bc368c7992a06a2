//! The bytes that the pieces of one recording take in the spool, which bounds how many of them there are.

use std::num::NonZeroU32;

use super::piece_plan::{MAX_BYTES_PER_SECOND, MAX_PIECE};
use crate::config::{Speech, Spool};
use crate::domain::AudioMs;
use crate::fair_share::max_of_one;

#[cfg(test)]
mod tests;

/// The pieces of one recording that there are at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PiecesInSpool {
    /// The number of pieces at providers at the same time.
    pub at_once: NonZeroU32,
    /// The part of the spool quota that a single caller can have for them, beside the recording.
    pub available: u64,
    /// The longest piece.
    longest: AudioMs,
}

impl PiecesInSpool {
    /// Plans the pieces of a recording of `bytes` and at most `length`, of which none is longer than `longest`. There are
    /// `speech.pieces_at_once` of them, or as many as the spool has room for, and at least one.
    pub fn new(speech: &Speech, spool: &Spool, bytes: u64, length: AudioMs, longest: AudioMs) -> Self {
        let available = max_of_one(spool.max_spool_disk_bytes).saturating_sub(bytes);
        let set = Self { at_once: speech.pieces_at_once, available, longest };
        if set.bytes(length) <= available {
            return set;
        }
        let fitting = available / size(longest).max(1);
        let at_once = u32::try_from(fitting.saturating_sub(2)).ok().and_then(NonZeroU32::new);
        Self { at_once: at_once.unwrap_or(NonZeroU32::MIN).min(speech.pieces_at_once), ..set }
    }

    /// Plans the longest pieces of the largest recording.
    pub fn of_largest_recording(speech: &Speech, spool: &Spool, max_audio_bytes: u64) -> Self {
        Self::new(speech, spool, max_audio_bytes, AudioMs::new(u64::MAX), MAX_PIECE)
    }

    /// Returns the largest size of the pieces that are there at the same time: those at providers, one that waits, and one
    /// that is being cut. They have no more than the `length` of the recording.
    pub fn bytes(&self, length: AudioMs) -> u64 {
        let count = u64::from(self.at_once.get()).saturating_add(2);
        size(AudioMs::new(self.longest.get().saturating_mul(count).min(length.get())))
    }
}

fn size(sound: AudioMs) -> u64 {
    sound.get().saturating_mul(MAX_BYTES_PER_SECOND).div_ceil(1000)
}
