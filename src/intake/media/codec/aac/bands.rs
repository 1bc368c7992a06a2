//! The scale factor bands of AAC's spectra and their widths in lines (ISO/IEC 14496-3 tables 4.129 to 4.147).

/// The widths of bands as runs: the width in lines, and the number of bands with it.
type Runs = &'static [(u16, u8)];

const LONG_48: Runs = &[(4, 10), (8, 7), (12, 4), (16, 2), (20, 2), (24, 2), (28, 2), (32, 19), (96, 1)];
const SHORT_48: Runs = &[(4, 5), (8, 3), (12, 3), (16, 3)];
const LONG_32: Runs = &[(4, 10), (8, 7), (12, 4), (16, 2), (20, 2), (24, 2), (28, 2), (32, 22)];
const LONG_8: Runs = &[
    (12, 13),
    (16, 7),
    (20, 4),
    (24, 3),
    (28, 2),
    (32, 1),
    (36, 2),
    (40, 1),
    (44, 1),
    (48, 1),
    (52, 1),
    (56, 1),
    (60, 1),
    (64, 1),
    (80, 1),
];
const SHORT_8: Runs = &[(4, 7), (8, 4), (12, 1), (16, 1), (20, 2)];
const LONG_16: Runs = &[
    (8, 11),
    (12, 9),
    (16, 4),
    (20, 3),
    (24, 2),
    (28, 2),
    (32, 1),
    (36, 1),
    (40, 2),
    (44, 1),
    (48, 1),
    (52, 1),
    (56, 1),
    (60, 1),
    (64, 3),
];
const SHORT_16: Runs = &[(4, 8), (8, 2), (12, 2), (16, 1), (20, 2)];
const LONG_24: Runs = &[
    (4, 11),
    (8, 10),
    (12, 4),
    (16, 3),
    (20, 2),
    (24, 2),
    (28, 2),
    (32, 1),
    (36, 2),
    (40, 1),
    (44, 1),
    (48, 1),
    (52, 2),
    (64, 5),
];
const SHORT_24: Runs = &[(4, 7), (8, 3), (12, 2), (16, 2), (20, 1)];
const LONG_64: Runs = &[(4, 14), (8, 4), (12, 3), (16, 3), (20, 1), (24, 2), (28, 1), (36, 1), (40, 18)];
const SHORT_64: Runs = &[(4, 6), (8, 3), (16, 1), (28, 1), (36, 1)];
const LONG_96: Runs = &[(4, 14), (8, 5), (12, 5), (16, 2), (24, 1), (28, 1), (36, 1), (44, 1), (64, 11)];

/// The bands of long and short windows, by the index of the sampling frequency.
const BY_RATE: [(Runs, Runs); 13] = [
    (LONG_96, SHORT_64),
    (LONG_96, SHORT_64),
    (LONG_64, SHORT_64),
    (LONG_48, SHORT_48),
    (LONG_48, SHORT_48),
    (LONG_32, SHORT_48),
    (LONG_24, SHORT_24),
    (LONG_24, SHORT_24),
    (LONG_16, SHORT_16),
    (LONG_16, SHORT_16),
    (LONG_16, SHORT_16),
    (LONG_8, SHORT_8),
    (LONG_8, SHORT_8),
];

/// The offsets of the bands, and the end of the last band.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bands {
    pub(super) long: Vec<u16>,
    pub(super) short: Vec<u16>,
}

impl Bands {
    /// Returns the bands at the sampling frequency of `index`, for frames of 960 samples if `shortened` and of 1024
    /// otherwise.
    pub(super) fn new(index: usize, shortened: bool) -> Option<Self> {
        let &(long, short) = BY_RATE.get(index)?;
        let (long_end, short_end) = if shortened { (960, 120) } else { (1024, 128) };
        Some(Self { long: offsets(long, long_end), short: offsets(short, short_end) })
    }
}

/// Returns the bands up to the line `end`. In shorter frames the last band is cut off, or there are fewer bands.
fn offsets(runs: Runs, end: u16) -> Vec<u16> {
    let mut offsets = vec![0];
    let mut at = 0;
    for &(width, count) in runs {
        for _ in 0..count {
            if at < end {
                at = end.min(at + width);
                offsets.push(at);
            }
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_fill_the_spectrum() {
        for index in 0..13 {
            for (shortened, long, short) in [(false, 1024, 128), (true, 960, 120)] {
                let bands = Bands::new(index, shortened).unwrap();
                assert_eq!((bands.long.last(), bands.short.last()), (Some(&long), Some(&short)));
                assert!(bands.long.iter().chain(&bands.short).all(|at| at % 4 == 0));
            }
        }
        let count =
            |shortened| (0..13).map(|index| Bands::new(index, shortened).unwrap().long.len() - 1).collect::<Vec<_>>();
        assert_eq!(count(false), [41, 41, 47, 49, 49, 51, 47, 47, 43, 43, 43, 40, 40]);
        assert_eq!(count(true), [40, 40, 46, 49, 49, 49, 46, 46, 42, 42, 42, 40, 40]);
        assert_eq!(Bands::new(13, false), None);
    }
}
