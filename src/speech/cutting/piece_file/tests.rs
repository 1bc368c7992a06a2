use futures_util::TryStreamExt;
use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::config;
use crate::fair_share::ShareKey;
use crate::intake::{SpoolQuota, SpoolUsage};
use crate::speech::testing::{decode_flac, decode_wav};

fn quota(disk: u64) -> Arc<SpoolQuota> {
    let spool = config::Spool {
        // Small, so that longer files leave memory, and their heads are written into a file.
        spool_memory_bytes: 64 * 1024,
        max_spool_memory_bytes: 128 * 1024,
        max_spool_disk_bytes: disk,
        spool_dir: std::env::temp_dir(),
    };
    SpoolQuota::new(&spool, disk)
}

fn new_file(quota: &Arc<SpoolQuota>, encoding: Encoding) -> PieceFile {
    let room = SpoolRoom::reserve(quota, ShareKey::of_caller("alice"), 0).unwrap();
    PieceFile::new(&room, PieceForm { encoding, is_fast: false, is_small: false }).unwrap()
}

/// The bytes of a piece of at least `min` samples, whose samples come in chunks of this size.
async fn encode(samples: &[i16], chunk: usize, min: u64, encoding: Encoding) -> Vec<u8> {
    let mut file = new_file(&quota(1 << 30), encoding);
    for chunk in samples.chunks(chunk) {
        file.push(chunk).unwrap();
    }
    let spool = file.finish(Samples::new(min)).unwrap();
    let bytes: Vec<u8> = spool.chunks().map_ok(Vec::from).try_concat().await.unwrap();
    assert_eq!(u64::try_from(bytes.len()).unwrap(), spool.length());
    bytes
}

fn decoded(file: &[u8], encoding: Encoding) -> Vec<i16> {
    match encoding {
        Encoding::Flac => decode_flac(file),
        Encoding::Wav => decode_wav(file),
    }
}

fn any_encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Flac), Just(Encoding::Wav)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_file_holds_its_samples_and_then_zeros(
        length in 1..200_000_usize,
        chunk in 100..40_000_usize,
        min in 0..100_000_u64,
        seed: u64,
        encoding in any_encoding(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let samples: Vec<i16> = (0..length).map(|_| random.i16(..)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let file = runtime.block_on(encode(&samples, chunk, min, encoding));
        let read = decoded(&file, encoding);
        prop_assert_eq!(read.len(), length.max(usize::try_from(min).unwrap()));
        prop_assert!(read[..length] == samples);
        prop_assert!(read[length..].iter().all(|sample| *sample == 0));
    }
}

#[tokio::test]
async fn a_wav_file_is_its_head_and_two_bytes_for_each_sample() {
    let file = encode(&[1, -2, i16::MIN], 2, 5, Encoding::Wav).await;
    let mut expected =
        b"RIFF\x2e\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\x0a\0\0\0".to_vec();
    expected.extend(b"\x01\0\xfe\xff\0\x80\0\0\0\0");
    assert_eq!(file, expected);
}

#[test]
fn a_wav_file_that_finds_no_room_leaves_nothing() {
    let quota = quota(100_000);
    let mut file = new_file(&quota, Encoding::Wav);
    let pushed = (0..100).try_for_each(|_| file.push(&[7; 4096]));
    assert!(matches!(pushed, Err(SpeechError::NoRoom(_))), "{pushed:?}");
    drop(file);
    assert_eq!(quota.used(), SpoolUsage::default());
}
