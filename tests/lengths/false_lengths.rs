//! Recordings that say something else than they are: any four bytes of their heads and tails changed, pieces of them
//! repeated, moved and left out.

use super::Case;
use super::formats::Format;

/// How much of each end is lied about.
const END: usize = 1_500;

/// Lies about `bytes`, a recording in `format`: as many of each kind as there is time for.
pub(crate) fn of(format: &Format, bytes: &[u8]) -> Vec<Case> {
    let count = if super::is_full() { 150 } else { 3 };
    // Another sequence for each format.
    let mut random =
        Random(format.name.bytes().fold(seed(), |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))));
    let mut cases = Vec::new();
    for number in 0..count {
        let mut lie = bytes.to_vec();
        let what = match number % 3 {
            0 => {
                let at = random.below(END.min(bytes.len() - 4));
                overwrite(&mut lie, at, &mut random)
            }
            1 => {
                let at = bytes.len() - 4 - random.below(END.min(bytes.len() - 4));
                overwrite(&mut lie, at, &mut random)
            }
            _ => rearrange(&mut lie, &mut random),
        };
        cases.push(Case { name: format!("{}, {what}", format.name), bytes: lie, honest: false });
    }
    cases
}

/// What lies are made up from: the same for each run, unless `make test-all` or whoever runs it says otherwise.
fn seed() -> u64 {
    let seed = std::env::var("PROPTEST_RNG_SEED").expect("cargo sets it, by .cargo/config.toml");
    seed.parse().expect("PROPTEST_RNG_SEED is no number")
}

fn overwrite(bytes: &mut [u8], at: usize, random: &mut Random) -> String {
    let with = match random.below(4) {
        0 => [0; 4],
        1 => [0xff; 4],
        2 => [0, 0, 0, 1],
        _ => u32::try_from(random.below(1 << 32)).unwrap().to_be_bytes(),
    };
    bytes[at..at + 4].copy_from_slice(&with);
    format!("{with:02x?} at {at}")
}

fn rearrange(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let from = random.below(bytes.len() - 1);
    let count = 1 + random.below((bytes.len() - from).min(4_000));
    let piece = bytes[from..from + count].to_vec();
    let to = random.below(bytes.len());
    match random.below(3) {
        0 => {
            bytes.drain(from..from + count);
            format!("without {count} bytes at {from}")
        }
        1 => {
            bytes.splice(to..to, piece);
            format!("{count} bytes of {from} again at {to}")
        }
        _ => {
            let to = to.min(bytes.len() - count);
            bytes[to..to + count].copy_from_slice(&piece);
            format!("{count} bytes of {from} over those at {to}")
        }
    }
}

/// A sequence of numbers that looks random (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 24).unwrap() % bound
    }
}
