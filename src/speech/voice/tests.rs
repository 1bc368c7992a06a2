use proptest::prelude::*;

use super::*;
use crate::speech::testing::voice;

/// Returns the frames of samples that come in chunks of this size.
fn frames(samples: &[i16], chunk: usize) -> Vec<Frame> {
    let (mut detector, mut frames) = (VoiceDetector::new(), Vec::new());
    for chunk in samples.chunks(chunk) {
        detector.push(chunk, |frame| frames.push(frame));
    }
    detector.finish(|frame| frames.push(frame));
    frames
}

#[test]
fn voice_scores_where_it_is() {
    let samples = [vec![0; 16_000], voice(32_000), vec![0; 16_000]].concat();
    let frames = frames(&samples, 1000);
    let voiced: Vec<usize> =
        (0..).zip(&frames).filter(|(_, frame)| frame.score >= 0.5).map(|(index, _)| index).collect();
    let (first, last) = (voiced[0] * FRAME, voiced[voiced.len() - 1] * FRAME);
    assert!(first.abs_diff(16_000) <= 2 * FRAME && last.abs_diff(48_000) <= 2 * FRAME, "{first} to {last}");
    assert!(voiced.len() * FRAME > 30_000, "{}", voiced.len());
}

proptest! {
    #[test]
    fn each_frame_comes_once_whatever_the_chunks(length in 0..3000_usize, chunk in 1..1000_usize, seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let samples: Vec<_> = (0..length).map(|_| random.i16(..)).collect();
        let at_once = frames(&samples, length.max(1));
        prop_assert_eq!(at_once.len(), length.div_ceil(FRAME));
        prop_assert_eq!(frames(&samples, chunk), at_once);
    }
}
