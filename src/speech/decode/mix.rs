//! Mixing to one channel.

/// Appends the mean of the channels of `interleaved` to `mono`.
pub(super) fn mix(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    match channels {
        0 => {}
        1 => mono.extend_from_slice(interleaved),
        2 => {
            let (frames, _) = interleaved.as_chunks::<2>();
            mono.extend(frames.iter().map(|[left, right]| (left + right) * 0.5));
        }
        _ => {
            let share = 1.0 / f32::from(u16::try_from(channels).unwrap_or(u16::MAX));
            mono.extend(interleaved.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() * share));
        }
    }
}
