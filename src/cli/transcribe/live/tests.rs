//! The sound between standard input and the gateway, with paused time.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, advance};

use super::piece::PIECE_BYTES;
use super::sound::Sound;
use super::sound_format::SoundFormat;

const PCM: SoundFormat = SoundFormat::Pcm { rate: 16_000, channels: 1 };
/// The bytes of a second.
const SECOND: usize = 32_000;

/// Numbered bytes.
fn bytes(range: std::ops::Range<usize>) -> Vec<u8> {
    range.map(|at| u8::try_from(at / 2 % 251).unwrap()).collect()
}

/// Takes all pieces that are due after a quarter of a second, and returns their bytes.
async fn taken(sound: &Sound) -> Vec<u8> {
    advance(Duration::from_millis(250)).await;
    let mut all = Vec::new();
    while let Some(Some(piece)) = sound.next(None).now_or_never() {
        all.extend_from_slice(&piece.bytes);
        sound.taken();
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_piece_is_sent_after_a_quarter_of_a_second() {
    let sound = Sound::new(PCM);
    sound.push(&[1; 100]).await;
    advance(Duration::from_millis(100)).await;
    sound.push(&[1; 100]).await;
    let before = Instant::now();
    let piece = sound.next(None).await.unwrap();
    assert_eq!((piece.seq, piece.bytes.len()), (0, 200));
    assert!(before.elapsed() <= Duration::from_millis(151), "{:?}", before.elapsed());
    assert_eq!(sound.next(None).await, Some(piece), "a piece that was not taken is not the next one");
    sound.taken();
    assert!(sound.next(None).now_or_never().is_none(), "there is no sound, and a piece of it");
}

#[tokio::test(start_paused = true)]
async fn a_piece_is_sent_at_once_when_it_is_full() {
    let sound = Sound::new(PCM);
    sound.push(&vec![1; PIECE_BYTES + 3]).await;
    let piece = sound.next(None).now_or_never().flatten().unwrap();
    assert_eq!(piece.bytes.len(), PIECE_BYTES);
    sound.taken();
    assert!(sound.next(None).now_or_never().is_none());
    sound.complete();
    let last = sound.next(None).await.unwrap();
    assert_eq!((last.seq, last.bytes.len()), (1, 2), "a half of a sample was sent");
    sound.taken();
    assert_eq!(sound.next(None).await, None);
}

#[tokio::test(start_paused = true)]
async fn reading_stops_while_ten_minutes_wait() {
    let sound = Sound::new(PCM);
    sound.push(&vec![1; 600 * SECOND]).await;
    let mut more = Box::pin(sound.push(&[2; 2]));
    assert!((&mut more).now_or_never().is_none());
    sound.next(None).await.unwrap();
    more.await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_heard_is_sent_again_in_another_session() {
    let sound = Sound::new(PCM);
    sound.push(&bytes(0..10 * SECOND)).await;
    taken(&sound).await;
    sound.heard(Duration::from_millis(2500));
    sound.push(&bytes(10 * SECOND..11 * SECOND)).await;
    assert!(sound.begin_again().await);
    assert_eq!(sound.begin_of_session(), Duration::from_millis(2500));
    let piece = sound.next(None).await.unwrap();
    assert_eq!(piece.seq, 0);
    assert_eq!(taken(&sound).await, bytes(SECOND * 5 / 2..11 * SECOND));
    // And again, with the times of the second session.
    sound.heard(Duration::from_millis(500));
    assert!(sound.begin_again().await);
    assert_eq!(sound.begin_of_session(), Duration::from_secs(3));
    assert_eq!(taken(&sound).await, bytes(3 * SECOND..11 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn another_session_begins_with_the_next_sound() {
    let sound = Sound::new(PCM);
    sound.push(&bytes(0..SECOND)).await;
    taken(&sound).await;
    // The gateway has taken a piece whose answer was lost.
    sound.push(&bytes(SECOND..SECOND + 3200)).await;
    sound.next(None).await.unwrap();
    sound.heard_all(Some(Duration::from_millis(1100)));
    let mut again = Box::pin(sound.begin_again());
    assert!((&mut again).now_or_never().is_none(), "a session was begun for silence");
    sound.push(&bytes(0..2)).await;
    assert!(again.await);
    assert_eq!(sound.begin_of_session(), Duration::from_millis(1100));
    sound.heard_all(None);
    sound.next(None).await.unwrap();
    sound.taken();
    sound.heard_all(None);
    sound.complete();
    assert!(!sound.begin_again().await);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_gets_the_piece_that_it_asks_for() {
    let sound = Sound::new(SoundFormat::Container);
    sound.push(&bytes(0..40 * PIECE_BYTES)).await;
    taken(&sound).await;
    assert!(!sound.go_on_with(3), "a piece is kept for ever");
    assert!(!sound.go_on_with(41));
    assert!(sound.go_on_with(30));
    let piece = sound.next(None).await.unwrap();
    assert_eq!((piece.seq, &piece.bytes[..]), (30, &bytes(30 * PIECE_BYTES..31 * PIECE_BYTES)[..]));
    assert_eq!(taken(&sound).await.len(), 10 * PIECE_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_silent_recorder_keeps_its_session() {
    let sound = Sound::new(SoundFormat::Container);
    let before = Instant::now();
    let piece = sound.next(Some(Duration::from_secs(20))).await.unwrap();
    assert!(piece.bytes.is_empty() && before.elapsed() >= Duration::from_secs(20));
    sound.taken();
    assert!(!sound.is_begun());
}
