//! Voice activity: samples to frames.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use earshot::Detector;

use super::cut::{FRAME, Frame};

/// The number of frames by which the detector's scores come late: measured against speech whose times are known.
const LATE: usize = 2;

/// A detector of voice in one recording.
pub(super) struct VoiceDetector {
    detector: Box<Detector>,
    /// The samples of the frame that is not complete.
    partial: Vec<i16>,
    /// The energies of the frames whose scores are still to come.
    energies: VecDeque<f32>,
}

impl VoiceDetector {
    pub(super) fn new() -> Self {
        Self { detector: Box::default(), partial: Vec::with_capacity(FRAME), energies: VecDeque::new() }
    }

    /// Takes the next samples, and gives each frame whose score is known to `take`.
    pub(super) fn push(&mut self, samples: &[i16], mut take: impl FnMut(Frame)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (some, after) = rest.split_at(rest.len().min(FRAME - self.partial.len()));
            self.partial.extend_from_slice(some);
            rest = after;
            if self.partial.len() == FRAME {
                self.detect(&mut take);
            }
        }
    }

    /// Ends the recording, and gives the last frames to `take`. A frame that is not complete ends in silence.
    pub(super) fn finish(mut self, mut take: impl FnMut(Frame)) {
        let frames = LATE + usize::from(!self.partial.is_empty());
        for _ in 0..frames {
            self.partial.resize(FRAME, 0);
            self.detect(&mut take);
        }
    }

    fn detect(&mut self, take: &mut impl FnMut(Frame)) {
        let score = self.detector.predict_i16(&self.partial);
        self.energies.push_back(energy(&self.partial));
        self.partial.clear();
        if self.energies.len() > LATE
            && let Some(energy) = self.energies.pop_front()
        {
            take(Frame { score, energy });
        }
    }
}

/// Returns the mean of the squared samples.
fn energy(samples: &[i16]) -> f32 {
    let squares = samples.iter().map(|&sample| f32::from(sample) * f32::from(sample)).sum::<f32>();
    squares / f32::from(u16::try_from(samples.len()).unwrap_or(u16::MAX).max(1))
}
