//! Recordings that are cut into pieces, by the pool.

mod arriving;
mod bounds;

use futures_util::{FutureExt, TryStreamExt};
use proptest::prelude::*;

use super::*;
use crate::config;
use crate::domain::{AudioMs, Length};
use crate::intake::media::{self, Container};
use crate::intake::{SpoolQuota, SpoolUsage, SpoolWriter};
use crate::speech::cut::PieceLimits;
use crate::speech::decode::SoundError;
use crate::speech::pool::Turn;
use crate::speech::samples::{Samples, Span};
use crate::speech::testing::{decode_flac, voice};

fn alice() -> ShareKey {
    ShareKey::of_caller("alice")
}

fn quota(disk: u64) -> Arc<SpoolQuota> {
    let spool = config::Spool {
        spool_memory_bytes: 1 << 20,
        max_spool_memory_bytes: 1 << 30,
        max_spool_disk_bytes: disk,
        spool_dir: std::env::temp_dir(),
    };
    SpoolQuota::new(&spool, disk)
}

fn pool() -> Arc<SpeechPool> {
    Arc::new(SpeechPool::new(std::num::NonZeroUsize::MIN).unwrap())
}

/// A WAV file of 16 kHz, mono, 16 bit.
fn wav(samples: &[i16]) -> Vec<u8> {
    let size = u32::try_from(samples.len() * 2).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(16_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// A recording in a spool of its own.
async fn spool(bytes: &[u8]) -> (Spool, MediaInfo) {
    let mut writer = SpoolWriter::new(&quota(1 << 30), alice(), None).unwrap();
    writer.append(bytes).await.unwrap();
    let spool = writer.finish().release();
    let info = media::inspect(spool.source(), spool.length()).unwrap();
    (spool, info)
}

/// Room in the spool that is taken piece by piece.
fn room(quota: &Arc<SpoolQuota>) -> SpoolRoom {
    SpoolRoom::reserve(quota, alice(), 0).unwrap()
}

async fn start(samples: &[i16], quota: &Arc<SpoolQuota>, rules: CutRules) -> Cutting {
    let (audio, info) = spool(&wav(samples)).await;
    Cutting::start(&pool(), alice(), room(quota), audio, info, rules, Encoding::Flac)
}

async fn decoded(piece: &Piece) -> Vec<i16> {
    let file: Vec<u8> = piece.audio.chunks().map_ok(Vec::from).try_concat().await.unwrap();
    assert_eq!(u64::try_from(file.len()).unwrap(), piece.audio.length());
    decode_flac(&file)
}

/// Cuts a recording. Returns its pieces, and the account at the end.
async fn cut(samples: &[i16], rules: CutRules) -> (Vec<Piece>, CutReport) {
    let quota = quota(1 << 30);
    let mut cutting = start(samples, &quota, rules).await;
    let mut pieces = Vec::new();
    while let Some(piece) = cutting.next_piece().await.unwrap() {
        assert_eq!(usize::try_from(piece.number).unwrap(), pieces.len());
        let (from, to) = range(piece.span);
        let decoded = decoded(&piece).await;
        assert!(decoded[..to - from] == samples[from..to], "{:?}", piece.span);
        assert!(decoded[to - from..].iter().all(|sample| *sample == 0));
        pieces.push(piece);
    }
    assert!(cutting.next_piece().await.unwrap().is_none(), "the end stays the end");
    let report = cutting.progress();
    let total = Samples::new(samples.len().try_into().unwrap());
    assert_eq!(report.sent.saturating_add(report.skipped), total);
    assert_eq!(report.decoding.samples, total);
    (pieces, report)
}

fn range(span: Span) -> (usize, usize) {
    (span.start.get().try_into().unwrap(), span.end.get().try_into().unwrap())
}

fn limits(min_ms: u64, max_ms: u64) -> PieceLimits {
    PieceLimits::new(Samples::from_ms(min_ms), Samples::from_ms(max_ms))
}

fn short_pieces() -> CutRules {
    CutRules::pieces(Samples::from_ms(4000), limits(100, 8000))
}

fn noise(length: usize, seed: u64) -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.i16(..)).collect()
}

fn any_recording() -> impl Strategy<Value = Vec<i16>> {
    let run = (0..3_u8, 100..90_000_usize, any::<u64>()).prop_map(|(kind, length, seed)| match kind {
        0 => vec![0; length],
        1 => voice(length),
        _ => noise(length / 4, seed),
    });
    prop::collection::vec(run, 1..8).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn pieces_with_silence_join_back_to_the_recording(samples in any_recording()) {
        let (pieces, report) = cut(&samples, short_pieces().with_silence()).now_or_block();
        let spans: Vec<_> = pieces.iter().map(|piece| range(piece.span)).collect();
        prop_assert_eq!(spans.first().map(|span| span.0), Some(0));
        prop_assert_eq!(spans.last().map(|span| span.1), Some(samples.len()));
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{:?}", spans);
        prop_assert_eq!(report.skipped, Samples::default());
    }

    #[test]
    fn pieces_without_silence_are_what_the_recording_has_there(samples in any_recording()) {
        let (pieces, report) = cut(&samples, short_pieces()).now_or_block();
        prop_assert!(pieces.iter().all(|piece| !piece.voice.is_empty()));
        prop_assert_eq!(usize::try_from(report.pieces).unwrap(), pieces.len());
    }
}

/// Futures that a test which is no future waits for.
trait NowOrBlock: Future + Sized {
    fn now_or_block(self) -> Self::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(self)
    }
}

impl<F: Future> NowOrBlock for F {}

#[tokio::test]
async fn silence_between_voices_is_not_sent() {
    let samples = [vec![0; 80_000], voice(32_000), vec![0; 80_000], voice(16_000)].concat();
    let (pieces, report) = cut(&samples, short_pieces()).await;
    let spans: Vec<_> = pieces.iter().map(|piece| range(piece.span)).collect();
    let expected = [(80_000 - 6400, 112_000 + 6400), (192_000 - 6400, 208_000)];
    for (span, expected) in spans.iter().zip(expected) {
        assert!(span.0.abs_diff(expected.0) < 1024 && span.1.abs_diff(expected.1) < 1024, "{span:?}");
    }
    assert_eq!(spans.len(), 2);
    assert!(report.speech.get().abs_diff(48_000) < 3000, "{report:?}");
    assert!(report.skipped.get().abs_diff(140_800) < 3000, "{report:?}");
}

#[tokio::test]
async fn a_silent_recording_has_no_piece_and_is_one_piece_as_a_whole() {
    let (pieces, report) = cut(&vec![0; 100_000], short_pieces()).await;
    assert!(pieces.is_empty());
    assert_eq!(report.skipped, Samples::new(100_000));
    let (pieces, _) = cut(&vec![0; 100_000], CutRules::whole()).await;
    assert_eq!((pieces.len(), pieces[0].voice.len()), (1, 0));
}

#[tokio::test]
async fn a_piece_that_is_too_short_ends_in_zeros() {
    let rules = CutRules::pieces(Samples::from_ms(4000), limits(500, 8000)).with_silence();
    let samples = noise(1200, 1);
    let (pieces, _) = cut(&samples, rules).await;
    assert_eq!(range(pieces[0].span), (0, 1200));
    assert_eq!(decoded(&pieces[0]).await.len(), 8000);
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_piece() {
    let quota = quota(1 << 30);
    let mut cutting = start(&voice(160_000), &quota, short_pieces().with_silence()).await;
    assert!(cutting.next_piece().now_or_never().is_none());
    let piece = cutting.next_piece().await.unwrap().unwrap();
    assert_eq!((piece.number, piece.span.start), (0, Samples::default()));
}

#[tokio::test]
async fn nothing_remains_of_work_that_nobody_wants() {
    let (quota, pool) = (quota(1 << 30), pool());
    let (audio, info) = spool(&wav(&voice(1_600_000))).await;
    let mut cutting = Cutting::start(&pool, alice(), room(&quota), audio, info, CutRules::whole(), Encoding::Flac);
    assert!(cutting.next_piece().now_or_never().is_none());
    drop(cutting);
    // The pool has one thread: what it does next comes after the work that was dropped.
    let (audio, info) = spool(&wav(&voice(8000))).await;
    let mut next = Cutting::start(&pool, alice(), room(&quota), audio, info, CutRules::whole(), Encoding::Flac);
    let piece = next.next_piece().await.unwrap().unwrap();
    assert_eq!(piece.number, 0);
    drop(piece);
    assert_eq!(quota.used(), SpoolUsage::default());
}

#[tokio::test]
async fn a_piece_that_finds_no_room_is_an_error_and_leaves_nothing() {
    let quota = quota(10_000);
    let mut cutting = start(&noise(400_000, 2), &quota, CutRules::whole()).await;
    assert!(matches!(cutting.next_piece().await, Err(SpeechError::NoRoom(_))));
    assert!(matches!(cutting.next_piece().await, Err(SpeechError::BrokeOff)), "an error is not an end");
    assert_eq!(quota.used(), SpoolUsage::default());
}

#[tokio::test]
async fn sound_that_cannot_be_decoded_is_an_error() {
    let (audio, _) = spool(&wav(&[0; 1000])).await;
    let info = MediaInfo {
        is_fragmented: false,
        container: Container::Mp4,
        codec: None,
        length: Length::Measured(AudioMs::new(1000)),
        bytes: audio.length(),
    };
    let mut cutting =
        Cutting::start(&pool(), alice(), room(&quota(1 << 30)), audio, info, CutRules::whole(), Encoding::Flac);
    assert!(matches!(cutting.next_piece().await, Err(SpeechError::Sound(SoundError::NotUnderstood { .. }))));
}
