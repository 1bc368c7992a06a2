use proptest::prelude::*;

use super::*;
use crate::speech::testing::decode_flac;

/// Encodes samples that come in chunks of this size.
fn encode(samples: &[i16], chunk: usize) -> Vec<u8> {
    let (mut encoder, mut frames) = (FlacEncoder::new(false).unwrap(), Vec::new());
    for chunk in samples.chunks(chunk) {
        encoder.push(chunk, &mut frames).unwrap();
    }
    let mut file = encoder.finish(&mut frames).unwrap();
    assert_eq!(file.len(), HEAD);
    file.append(&mut frames);
    file
}

fn any_samples() -> impl Strategy<Value = Vec<i16>> {
    let length = prop_oneof![1..70_usize, 4000..4200_usize, 8191..8200_usize, 1..20_000_usize];
    (length, 0..5_u8, any::<u64>()).prop_map(|(length, kind, seed)| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut level = 0_i16;
        let sample = |index: usize| match kind {
            0 => 0,
            1 => random.i16(..),
            2 => {
                if index % 50 < 25 {
                    i16::MAX
                } else {
                    i16::MIN
                }
            }
            3 => -7,
            _ => {
                level = level.saturating_add(random.i16(-300..=300));
                level
            }
        };
        (0..length).map(sample).collect()
    })
}

proptest! {
    #[test]
    fn a_file_decodes_to_the_samples_it_was_made_of(samples in any_samples(), chunk in 1..5000_usize) {
        let file = encode(&samples, chunk);
        prop_assert_eq!(decode_flac(&file), samples);
    }
}

#[test]
fn the_head_states_the_sizes_of_blocks_and_frames() {
    let file = encode(&[1000, -1000].repeat(5000), 777);
    let head =
        |range: std::ops::Range<usize>| file[range].iter().fold(0_usize, |sum, byte| sum * 256 + usize::from(*byte));
    assert_eq!((head(8..10), head(10..12)), (BLOCK, BLOCK));
    let frames = head(12..15)..=head(15..18);
    assert!(frames.contains(&((file.len() - HEAD) / 3)), "{frames:?} of {}", file.len());
}

/// `cargo test --lib flac::tests -- --ignored --nocapture`
#[test]
#[ignore = "prints figures"]
#[allow(clippy::print_stderr)]
fn the_cost_of_saving_bytes() {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media/sample.wav")).unwrap();
    let sentence: Vec<_> = file[44..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let samples = sentence.repeat(20);
    for fast in [false, true] {
        let (mut encoder, mut bytes) = (FlacEncoder::new(fast).unwrap(), Vec::new());
        let began = crate::domain::thread_time();
        encoder.push(&samples, &mut bytes).unwrap();
        let took = crate::domain::thread_time().saturating_sub(began);
        eprintln!("fast {fast}: {} bytes of {}, {took:?}", bytes.len(), samples.len() * 2);
    }
}
