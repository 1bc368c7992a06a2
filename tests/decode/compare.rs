//! The difference between two sounds.

/// How far a sound is from the expected one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    /// The samples that it is longer.
    pub(crate) length: isize,
    /// The ratio of signal to difference, sample by sample.
    pub(crate) decibels: f64,
}

pub(crate) fn compare(sound: &[f32], expected: &[f32]) -> Difference {
    let length = sound.len().cast_signed() - expected.len().cast_signed();
    Difference { length, decibels: ratio(sound, expected, 0) }
}

/// The shift in samples at which the two agree best, for the message of a failure, and the ratio there.
pub(crate) fn best_shift(sound: &[f32], expected: &[f32]) -> (isize, f64) {
    let shifts = (-500..=500_isize).filter(|shift| shift % 8 == 0 || shift.abs() < 12);
    let ratios = shifts.map(|shift| (shift, ratio(sound, expected, shift)));
    ratios.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap()
}

/// The ratio of signal to difference if `sound` comes `shift` samples late.
fn ratio(sound: &[f32], expected: &[f32], shift: isize) -> f64 {
    let (late, early) = if shift >= 0 { (shift.unsigned_abs(), 0) } else { (0, shift.unsigned_abs()) };
    let pairs = sound.iter().skip(late).zip(expected.iter().skip(early));
    let (mut signal, mut difference) = (1e-12, 1e-12);
    for (found, wanted) in pairs {
        signal += f64::from(*wanted).powi(2);
        difference += (f64::from(*wanted) - f64::from(*found)).powi(2);
    }
    10.0 * (signal / difference).log10()
}
