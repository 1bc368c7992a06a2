//! Samples without a container.

use super::*;
use crate::speech::testing::voice;

fn pcm16(rate: u32, channels: u16) -> LiveFormat {
    LiveFormat::Pcm16 { rate, channels }
}

/// A sentence, a pause, and another.
fn talk() -> Vec<i16> {
    [vec![0; 20_000], voice(32_000), vec![0; 24_000], voice(16_000), vec![0; 12_000]].concat()
}

#[tokio::test]
async fn pieces_cut_anywhere_give_the_same_turns() {
    let samples = talk();
    let bytes = bytes_of(&samples);
    let at_once = Session::hear(pcm16(16_000, 1), &bytes, &[bytes.len()]).await;
    assert_eq!(at_once.turns.len(), 2);
    at_once.holds(&samples).await;
    for sizes in [&[8000][..], &[1, 777, 3], &[4096, 0x1_0001], &[31_999]] {
        let cut = Session::hear(pcm16(16_000, 1), &bytes, sizes).await;
        assert_eq!(cut.spans(), at_once.spans(), "{sizes:?}");
        assert_eq!(cut.audio(), 104_000);
        cut.holds(&samples).await;
    }
}

#[tokio::test]
async fn every_rate_and_channel_sounds_as_a_file_of_it() {
    for (rate, channels) in [(8_000, 1), (11_025, 2), (16_000, 2), (22_050, 1), (44_100, 2), (48_000, 1)] {
        let length = usize::try_from(rate).unwrap() * 2;
        let sound = voice(length);
        let interleaved: Vec<i16> =
            sound.iter().flat_map(|sample| [*sample, sample / 3].into_iter().take(channels.into())).collect();
        let bytes = bytes_of(&interleaved);
        let size = u32::try_from(bytes.len()).unwrap();
        let file = whole(&wav(rate, channels, size + 36, size, &interleaved));
        let mut reader = crate::speech::decode::LiveReader::new(pcm16(rate, channels).packets(), AudioMs::new(60_000));
        let live = super::containers::live_samples(&mut reader, &bytes, &[1, 3333, 2]);
        assert_eq!(live.len(), file.len(), "{rate} {channels}");
        // What must be resampled is filtered with less delay, and a little less sharply.
        let far = live.iter().zip(&file).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(far <= if rate == 16_000 { 0.0 } else { 0.05 }, "{far} at {rate}");
        let session = Session::hear(pcm16(rate, channels), &bytes, &[4001]).await;
        assert_eq!(session.audio(), u64::try_from(file.len()).unwrap());
    }
}

#[test]
#[allow(clippy::cast_possible_truncation, reason = "the value is far within what a sample holds")]
fn speech_band_passes_the_prompt_filters() {
    for (rate, tone) in [(8_000, 3_400.0), (11_025, 4_800.0), (22_050, 6_800.0), (44_100, 6_800.0), (48_000, 6_800.0)] {
        let at = |index: u32| (f64::from(index) * tone * std::f64::consts::TAU / f64::from(rate)).sin();
        let samples: Vec<i16> = (0..rate).map(|index| (at(index) * 10_000.0) as i16).collect();
        let mut reader = crate::speech::decode::LiveReader::new(pcm16(rate, 1).packets(), AudioMs::new(60_000));
        let heard = super::containers::live_samples(&mut reader, &bytes_of(&samples), &[1000]);
        let middle = &heard[4_000..12_000];
        let power = middle.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 8_000.0;
        let gain = 10.0 * (power / (0.5 * (10_000.0 / 32_768.0_f64).powi(2))).log10();
        assert!(gain.abs() < 1.0, "{gain} dB at {tone} Hz of {rate}");
    }
}

#[tokio::test]
async fn sound_of_every_rate_is_heard_within_130_ms() {
    for rate in [8_000, 11_025, 22_050, 44_100, 48_000] {
        let mut session = Session::new(pcm16(rate, 1));
        let (mut pushed, mut latest) = (0, 0);
        for _ in 0..200 {
            session.push(&vec![0; 2 * usize::try_from(rate / 100).unwrap()]).await;
            pushed += 160;
            latest = latest.max(pushed - session.audio());
        }
        assert!(latest <= 16 * 130, "{latest} samples at {rate}");
    }
}

#[tokio::test]
async fn a_part_of_a_frame_waits_for_the_next_piece() {
    let mut session = Session::new(pcm16(16_000, 2));
    let mut audio = Vec::new();
    for piece in [&[1_u8, 2, 3][..], &[4], &[5, 6, 7, 8, 9], &[], &[10, 11, 12]] {
        session.push(piece).await;
        audio.push(session.audio());
    }
    assert_eq!(audio, [0, 1, 2, 2, 3]);
    session.push(&[1, 2, 3]).await;
    session.finish().await;
    assert_eq!(session.audio(), 3, "a part of a frame at the end is none");
}

#[tokio::test]
async fn a_rate_that_no_session_has_is_no_audio() {
    let mut session = Session::new(pcm16(7_000, 1));
    let Err(LiveSoundError::NotAudio { reason }) = session.try_push(&[0; 100]).await else { panic!() };
    assert!(reason.contains("7000 Hz"), "{reason}");
}
