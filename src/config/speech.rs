//! `[speech]`: recordings that their model does not take as they are.

use std::num::{NonZeroU32, NonZeroUsize};

use super::reader::Section;
use crate::domain::AudioMs;

/// `[speech]`, except the threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    /// True if a recording that its model does not take as it is may be encoded anew or split; true.
    pub split: bool,
    /// `piece_seconds`: the length that pieces have about, 30 s to 800 s; 300 s.
    pub piece: AudioMs,
    /// The largest number of pieces of one recording that are at providers at the same time, 1 to 64; 4.
    pub pieces_at_once: NonZeroU32,
    /// `max_recording_seconds`: the longest recording of all callers, 1 s to 24 h; 4 h.
    pub max_recording: AudioMs,
    /// True if long silence is not sent; true.
    pub skip_silence: bool,
    /// True if the last words of a piece are part of the next piece's prompt; false.
    pub carry_context: bool,
}

/// The part of `[speech]` that its pool of threads is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechPool {
    /// The number of threads that decode and encode sound, 1 to 1024; one less than there are processor cores, and at
    /// least one.
    pub threads: NonZeroUsize,
}

/// The longest recording that a setting can allow, in seconds.
pub(super) const MAX_RECORDING_SECONDS: u64 = 24 * 3600;

impl SpeechPool {
    pub(super) fn read(section: &mut Section) -> Self {
        let given = section.ranged("threads", 1..=1024).and_then(|threads| usize::try_from(threads).ok());
        let threads = given.and_then(NonZeroUsize::new).unwrap_or_else(|| {
            let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
        });
        Self { threads }
    }
}

impl Speech {
    /// Reads the rest of the section after [`SpeechPool`].
    pub(super) fn read(mut section: Section) -> Self {
        let mut seconds = |key, range, default| AudioMs::new(section.ranged(key, range).unwrap_or(default) * 1000);
        let piece = seconds("piece_seconds", 30..=800, 300);
        let max_recording = seconds("max_recording_seconds", 1..=MAX_RECORDING_SECONDS, 4 * 3600);
        let at_once = section.ranged("pieces_at_once", 1..=64).unwrap_or(4);
        let settings = Self {
            split: section.value("split", true),
            piece,
            pieces_at_once: u32::try_from(at_once).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
            max_recording,
            skip_silence: section.value("skip_silence", true),
            carry_context: section.value("carry_context", false),
        };
        section.finish();
        settings
    }
}
