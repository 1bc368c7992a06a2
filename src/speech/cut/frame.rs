//! Frames: the unit of time in which voice is detected.

use crate::speech::samples::Samples;

/// The number of samples of a frame: 16 ms.
pub(in crate::speech) const FRAME: usize = 256;
/// The length of a frame.
pub(super) const FRAME_LENGTH: Samples = Samples::from_ms(16);
/// The score from which a frame is voice. A second, lower threshold for the end of voice was measured, and loses pauses.
const THRESHOLD: f32 = 0.5;
/// The number of frames without voice that are a pause: 128 ms.
pub(super) const MIN_PAUSE: u64 = 8;
/// The number of frames with voice without which a sound is no speech: 64 ms.
pub(super) const MIN_VOICE: u64 = 4;

/// The measurements of the sound in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::speech) struct Frame {
    /// The likeness of the frame to speech, from 0 to 1.
    pub(in crate::speech) score: f32,
    /// The mean of the squared samples.
    pub(in crate::speech) energy: f32,
}

impl Frame {
    /// Returns true if the frame is voice.
    pub(super) fn is_voice(self) -> bool {
        self.score >= THRESHOLD
    }
}

/// Returns the first sample of the frame with this number.
pub(super) const fn start_of(number: u64) -> Samples {
    Samples::new(number.saturating_mul(FRAME_LENGTH.get()))
}
