//! When turns end, and what they hold.

use super::*;
use crate::speech::cut::FRAME;
use crate::speech::testing::voice;

const PCM: LiveFormat = LiveFormat::Pcm16 { rate: 16_000, channels: 1 };
/// The samples of a piece: 10 ms.
const PIECE: usize = 160;

/// Pushes `samples` piece by piece, and returns the number of samples that were needed for each turn.
async fn needed(session: &mut Session, samples: &[i16]) -> Vec<usize> {
    let (mut needed, mut pushed) = (Vec::new(), 0);
    for piece in samples.chunks(PIECE) {
        pushed += piece.len();
        let turns = session.push(&bytes_of(piece)).await;
        needed.extend(std::iter::repeat_n(pushed, turns));
    }
    needed
}

#[tokio::test]
async fn a_turn_comes_out_two_frames_after_its_pause() {
    let samples = [vec![0; 32_000], voice(32_000), vec![0; 32_000], voice(32_000), vec![0; 16_000]].concat();
    let mut session = Session::new(PCM);
    let needed = needed(&mut session, &samples).await;
    assert_eq!(needed.len(), 2);
    let pause = usize::try_from(PAUSE.get()).unwrap();
    for (turn, needed) in session.turns.iter().zip(needed) {
        let voice_end = range(*turn.voice.last().unwrap()).1;
        assert_eq!(range(turn.span).1, voice_end + pause, "the turn keeps its pause");
        // The frame in which the pause ends, and two by which the detector is late.
        let known = (voice_end + pause).next_multiple_of(FRAME) + 2 * FRAME;
        assert!((known..known + PIECE).contains(&needed), "{needed} of {known}");
        assert_eq!(range(turn.span).0, range(turn.voice[0]).0 - pause);
    }
    session.holds(&samples).await;
}

#[tokio::test]
async fn silence_between_two_turns_belongs_to_no_more_than_one() {
    // 600 ms: the first turn keeps 500 of them, and 100 are left for the second.
    let samples = [vec![0; 16_000], voice(32_000), vec![0; 9_600], voice(32_000), vec![0; 16_000]].concat();
    let mut session = Session::new(PCM);
    needed(&mut session, &samples).await;
    let [(_, first_end), (second, _)] = session.spans()[..] else { panic!("{:?}", session.spans()) };
    assert_eq!(first_end, second);
    session.holds(&samples).await;
}

#[tokio::test]
async fn a_turn_without_a_pause_ends_at_thirty_seconds() {
    let samples = voice(16_000 * 70);
    let mut session = Session::hear(PCM, &bytes_of(&samples), &[8000]).await;
    let spans = session.spans();
    assert_eq!((spans.len(), spans[0].0, spans.last().unwrap().1), (3, 0, 16_000 * 70));
    for (index, (start, end)) in spans.iter().enumerate() {
        assert!(end - start <= LONGEST.get(), "{start} to {end}");
        let is_last = index + 1 == spans.len();
        assert!(is_last || (end - start >= 25 * 16_000 && *end == spans[index + 1].0), "{start} to {end}");
    }
    session.holds(&samples).await;
    assert_eq!(session.finish().await, 0, "the end stays the end");
    assert!(matches!(session.try_push(&[0; 2]).await, Err(LiveSoundError::BrokeOff)));
}

#[tokio::test]
async fn silence_gives_no_turn_and_holds_nothing() {
    let mut session = Session::new(PCM);
    for second in 1..=120_u64 {
        assert_eq!(session.push(&vec![0; 32_000]).await, 0);
        assert_eq!(session.audio(), second * 16_000);
        let held = session.heard.audio.saturating_sub(session.heard.decided);
        assert!(held <= PAUSE.saturating_add(Samples::from_ms(50)), "{held:?}");
    }
    assert!(session.sound.held_bytes() < 24 * 1024, "{}", session.sound.held_bytes());
    assert_eq!(session.finish().await, 0);
    let report = session.sound.report();
    assert_eq!((report.skipped, report.sent), (Samples::from_ms(120_000), Samples::default()));
    assert_eq!(session.heard.decided, Samples::from_ms(120_000));
}

#[tokio::test]
async fn what_is_open_ends_with_the_session() {
    let samples = [vec![0; 16_000], voice(20_000)].concat();
    let mut session = Session::new(PCM);
    assert_eq!(session.push(&bytes_of(&samples)).await, 0);
    assert!(session.heard.decided < session.heard.audio);
    assert_eq!(session.finish().await, 1);
    assert_eq!(session.spans()[0].1, 36_000);
    assert_eq!(session.heard.decided, session.heard.audio);
    session.holds(&samples).await;
}

#[tokio::test]
async fn a_session_without_sound_has_no_turn() {
    for format in [PCM, LiveFormat::Auto] {
        let mut session = Session::new(format);
        session.push(&[]).await;
        assert_eq!(session.finish().await, 0);
        assert_eq!((session.audio(), session.sound.report().pieces), (0, 0));
    }
}

#[tokio::test]
async fn the_account_fits_what_came_out() {
    let samples = [voice(32_000), vec![0; 64_000], voice(32_000), vec![0; 32_000]].concat();
    let session = Session::hear(PCM, &bytes_of(&samples), &[5000]).await;
    let report = session.sound.report();
    assert_eq!(usize::try_from(report.pieces).unwrap(), session.turns.len());
    assert_eq!(report.sent.saturating_add(report.skipped), session.heard.audio);
    assert_eq!(report.decoding.samples, session.heard.audio);
    assert!(report.processor_time > std::time::Duration::ZERO);
}
