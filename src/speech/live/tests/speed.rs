//! What a session costs: `cargo test --lib live::tests::speed -- --ignored --nocapture --test-threads 1`.

#![allow(clippy::print_stderr, clippy::cast_precision_loss, clippy::as_conversions)]

use super::webm::{Blocks, Cut};
use super::*;

/// The number of seconds of sound.
const SECONDS: usize = 120;
/// The number of sessions at once.
const SESSIONS: usize = 300;

/// Sentences with pauses between them.
fn talk(seconds: usize) -> Vec<i16> {
    let file = media("sample.wav");
    let sentence = file[44..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair));
    let sentence: Vec<_> = sentence.chain(std::iter::repeat_n(0, 9_600)).collect();
    sentence.into_iter().cycle().take(seconds * 16_000).collect()
}

/// The forms of the sound, with pieces of a quarter of a second.
fn forms(seconds: usize) -> [(&'static str, LiveFormat, Vec<Vec<u8>>); 3] {
    let samples = talk(seconds);
    let webm = webm::of(&samples, Blocks { packets: 3, cut: Cut::Unknown });
    let webm = std::iter::once(webm.head).chain(webm.blocks.chunks(4).map(<[_]>::concat)).collect();
    let fast: Vec<_> = samples.iter().flat_map(|sample| [*sample; 3]).collect();
    let pieces = |samples: &[i16], length| samples.chunks(length).map(bytes_of).collect();
    [
        ("pcm16 16 kHz", LiveFormat::Pcm16 { rate: 16_000, channels: 1 }, pieces(&samples, 4000)),
        ("pcm16 48 kHz", LiveFormat::Pcm16 { rate: 48_000, channels: 1 }, pieces(&fast, 12_000)),
        ("webm opus", LiveFormat::Auto, webm),
    ]
}

#[tokio::test]
#[ignore = "prints figures"]
async fn the_processor_time_of_a_second_of_sound() {
    for (name, format, pieces) in forms(SECONDS) {
        let mut session = Session::new(format);
        for piece in &pieces {
            session.push(piece).await;
        }
        session.finish().await;
        let report = session.sound.report();
        let seconds = session.heard.audio.seconds();
        let per_second = |time: std::time::Duration| time.as_secs_f64() * 1000.0 / seconds;
        eprintln!(
            "{name}: {:.3} ms a second of sound ({:.3} of them decoding), {} turns, {:.1} kB a second sent",
            per_second(report.processor_time),
            per_second(report.decoding.processor_time),
            session.turns.len(),
            session.turns.iter().map(|turn| turn.audio.length()).sum::<u64>() as f64 / 1000.0 / report.sent.seconds(),
        );
    }
}

#[tokio::test]
#[ignore = "prints figures"]
async fn the_memory_of_a_session() {
    // Memory that was freed stays resident: one form in each process.
    let chosen = std::env::var("FORM").unwrap_or_else(|_| "webm".to_owned());
    for (name, format, pieces) in forms(8).into_iter().filter(|(name, ..)| name.contains(&chosen)) {
        let pool = Arc::new(SpeechPool::new(std::num::NonZeroUsize::MIN).unwrap());
        let mut warm = Session::on(&pool, format);
        for piece in &pieces {
            warm.push(piece).await;
        }
        let before = resident();
        let mut sessions: Vec<_> = (0..SESSIONS).map(|_| Session::on(&pool, format)).collect();
        for piece in pieces.iter().take(30) {
            for session in &mut sessions {
                session.push(piece).await;
                session.turns.clear();
            }
        }
        let held: usize = sessions.iter().map(|session| session.sound.held_bytes()).sum();
        let resident = (resident() - before) / SESSIONS / 1024;
        eprintln!("{name}: {resident} KiB resident a session, {} of them counted", held / SESSIONS / 1024);
    }
}

/// The resident memory of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
