//! What a session may take: memory, length, time, places.

use std::pin::pin;

use futures_util::FutureExt;

use super::webm::{Blocks, Cut};
use super::*;
use crate::intake::SpoolUsage;
use crate::speech::testing::voice;

const PCM: LiveFormat = LiveFormat::Pcm16 { rate: 16_000, channels: 1 };

#[tokio::test]
async fn a_session_holds_little_between_its_pieces() {
    let long = voice(16_000 * 70);
    let webm = webm::of(&long[..16_000 * 40], Blocks { packets: 3, cut: Cut::Unknown }).joined();
    for (format, bytes, size) in [(PCM, bytes_of(&long), 8000), (LiveFormat::Auto, webm, 1000)] {
        let mut session = Session::new(format);
        let (mut usual, mut worst) = (0, 0);
        for piece in bytes.chunks(size) {
            session.push(piece).await;
            let held = session.sound.held_bytes();
            worst = worst.max(held);
            // Up to 20 seconds, a turn waits for no cut.
            if session.heard.audio < Samples::from_ms(20_000) {
                usual = usual.max(held);
            }
        }
        assert!(usual <= 64 * 1024, "{usual}");
        assert!(worst <= 192 * 1024, "{worst}");
    }
}

#[tokio::test]
async fn sound_beyond_the_longest_is_refused_and_what_was_before_remains() {
    let mut session = Session::of_at_most(PCM, AudioMs::new(3000));
    session.push(&bytes_of(&voice(40_000))).await;
    let error = session.try_push(&bytes_of(&voice(40_000))).await.unwrap_err();
    assert!(matches!(error, LiveSoundError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("longer than the 3"), "{error}");
    assert_eq!(session.finish().await, 1);
}

#[tokio::test]
async fn nothing_remains_of_a_session_that_was_dropped() {
    let mut session = Session::new(PCM);
    session.push(&bytes_of(&voice(16_000 * 10))).await;
    let quota = Arc::clone(&session.quota);
    drop(session);
    assert_eq!(quota.used(), SpoolUsage::default());
}

#[tokio::test]
async fn a_piece_whose_future_was_dropped_ends_the_session() {
    let mut session = Session::new(PCM);
    let piece = session.spool(&bytes_of(&voice(160_000))).await;
    assert!(pin!(session.sound.push(piece)).now_or_never().is_none());
    assert!(matches!(session.try_push(&[0; 2]).await, Err(LiveSoundError::BrokeOff)));
}

#[tokio::test]
async fn a_pool_without_a_place_refuses_the_first_piece_and_changes_nothing() {
    let mut session = Session::new(PCM);
    let pool = SpeechPool::with_places(0);
    session.sound = LiveSound::new(
        &Arc::new(pool),
        alice(),
        SpoolRoom::reserve(&session.quota, alice(), 0).unwrap(),
        PCM,
        CutRules::turns(PAUSE, LONGEST),
        Encoding::Wav,
        AudioMs::new(60_000),
    );
    for _ in 0..2 {
        assert!(matches!(session.try_push(&[0; 320]).await, Err(LiveSoundError::Busy(_))));
    }
}
