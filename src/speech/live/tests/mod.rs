//! Sessions whose sound comes piece by piece.

mod bounds;
mod containers;
mod garbage;
mod pcm;
mod speed;
mod turns;
mod webm;

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt;

use super::*;
use crate::config;
use crate::domain::AudioMs;
use crate::fair_share::ShareKey;
use crate::intake::media::inspect;
use crate::intake::{Spool, SpoolQuota, SpoolRoom, SpoolWriter};
use crate::speech::cut::CutRules;
use crate::speech::decode::SoundReader;
use crate::speech::encoding::Encoding;
use crate::speech::piece::Piece;
use crate::speech::pool::SpeechPool;
use crate::speech::samples::{Samples, Span};
use crate::speech::testing::decode_flac;

const PAUSE: Samples = Samples::from_ms(500);
const LONGEST: Samples = Samples::from_ms(30_000);

fn alice() -> ShareKey {
    ShareKey::of_caller("alice")
}

fn quota() -> Arc<SpoolQuota> {
    let spool = config::Spool {
        spool_memory_bytes: 1 << 20,
        max_spool_memory_bytes: 1 << 30,
        max_spool_disk_bytes: 1 << 30,
        spool_dir: std::env::temp_dir(),
    };
    SpoolQuota::new(&spool, 1 << 30)
}

/// A session, and all that came out of it.
struct Session {
    quota: Arc<SpoolQuota>,
    sound: LiveSound,
    turns: Vec<Piece>,
    heard: Heard,
}

impl Session {
    fn new(format: LiveFormat) -> Self {
        Self::of_at_most(format, AudioMs::new(3_600_000))
    }

    fn of_at_most(format: LiveFormat, max: AudioMs) -> Self {
        Self::with(&Arc::new(SpeechPool::new(std::num::NonZeroUsize::MIN).unwrap()), format, max)
    }

    fn on(pool: &Arc<SpeechPool>, format: LiveFormat) -> Self {
        Self::with(pool, format, AudioMs::new(3_600_000))
    }

    fn with(pool: &Arc<SpeechPool>, format: LiveFormat, max: AudioMs) -> Self {
        let quota = quota();
        let room = SpoolRoom::reserve(&quota, alice(), 0).unwrap();
        let rules = CutRules::turns(PAUSE, LONGEST);
        let sound = LiveSound::new(pool, alice(), room, format, rules, Encoding::Flac, max);
        Self { quota, sound, turns: Vec::new(), heard: Heard::default() }
    }

    async fn spool(&self, bytes: &[u8]) -> Spool {
        let mut writer = SpoolWriter::new(&self.quota, alice(), None).unwrap();
        writer.append(bytes).await.unwrap();
        writer.finish().release()
    }

    /// Pushes a piece, and returns the number of turns that it completed.
    async fn try_push(&mut self, bytes: &[u8]) -> Result<usize, LiveSoundError> {
        let piece = self.spool(bytes).await;
        let heard = self.sound.push(piece).await?;
        Ok(self.take(heard))
    }

    async fn push(&mut self, bytes: &[u8]) -> usize {
        self.try_push(bytes).await.unwrap()
    }

    async fn finish(&mut self) -> usize {
        let heard = self.sound.finish().await.unwrap();
        self.take(heard)
    }

    fn take(&mut self, mut heard: Heard) -> usize {
        let count = heard.turns.len();
        assert!(heard.audio >= self.heard.audio && heard.decided >= self.heard.decided);
        assert!(heard.decided <= heard.audio);
        for turn in heard.turns.drain(..) {
            assert!(turn.span.end <= heard.decided);
            self.turns.push(turn);
        }
        assert!(self.turns.windows(2).all(|pair| pair[1].number == pair[0].number + 1));
        self.heard = heard;
        count
    }

    /// Pushes all of `bytes` in pieces of these sizes, over and over, and ends the session.
    async fn hear(format: LiveFormat, bytes: &[u8], sizes: &[usize]) -> Self {
        let mut session = Self::new(format);
        for piece in pieces(bytes, sizes) {
            session.push(piece).await;
        }
        session.finish().await;
        session
    }

    fn spans(&self) -> Vec<(u64, u64)> {
        self.turns.iter().map(|turn| (turn.span.start.get(), turn.span.end.get())).collect()
    }

    fn audio(&self) -> u64 {
        self.heard.audio.get()
    }

    /// Checks that each turn is what `samples` have there.
    async fn holds(&self, samples: &[i16]) {
        for turn in &self.turns {
            let (from, to) = range(turn.span);
            let file: Vec<u8> = turn.audio.chunks().map_ok(Vec::from).try_concat().await.unwrap();
            assert!(decode_flac(&file)[..to - from] == samples[from..to], "{:?}", turn.span);
        }
    }
}

/// Cuts `bytes` into pieces of these sizes, over and over.
fn pieces<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at((*sizes.next()?).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn range(span: Span) -> (usize, usize) {
    (span.start.get().try_into().unwrap(), span.end.get().try_into().unwrap())
}

/// The sound of a whole recording.
fn whole(bytes: &[u8]) -> Vec<f32> {
    let info = inspect(Cursor::new(bytes), bytes.len().try_into().unwrap()).unwrap();
    let mut reader = SoundReader::open(Cursor::new(bytes), &info).unwrap();
    let mut samples = Vec::new();
    while let Some(block) = reader.next().unwrap() {
        samples.extend_from_slice(block);
    }
    samples
}

fn media(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media").join(name)).unwrap()
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A WAV file whose header states these sizes.
fn wav(rate: u32, channels: u16, riff: u32, data: u32, interleaved: &[i16]) -> Vec<u8> {
    let frame = channels * 2;
    [
        &b"RIFF"[..],
        &riff.to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0",
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        b"\x10\0data",
        &data.to_le_bytes(),
        &bytes_of(interleaved),
    ]
    .concat()
}
