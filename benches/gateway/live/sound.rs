//! What live sessions are told: one sentence over and over, with a pause that ends a turn.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;

use crate::recordings::ffmpeg;

/// What clients send at once.
pub(super) const PIECE: Duration = Duration::from_millis(250);
/// The sentence takes 2.8 s of it.
pub(super) const TURN: Duration = Duration::from_secs(4);

/// The bytes of a piece of PCM: 16 kHz, 16 bits, one channel.
const PIECE_BYTES: usize = 8_000;
const WAV_HEAD: usize = 44;
/// What a cluster of `WebM` begins with.
const CLUSTER: &[u8] = b"\x1f\x43\xb6\x75";

/// The pieces of a session's audio, and what a session is opened with.
pub(super) struct Sound {
    pub(super) wish: &'static str,
    pub(super) pieces: Vec<Bytes>,
}

impl Sound {
    /// Samples.
    pub(super) fn pcm(length: Duration) -> Self {
        let samples = Bytes::from(samples(length));
        let pieces = (0..samples.len()).step_by(PIECE_BYTES);
        let pieces = pieces.map(|start| samples.slice(start..samples.len().min(start + PIECE_BYTES))).collect();
        Self { wish: r#"{"model":"gpt-transcribe","audio_format":"pcm16","sample_rate":16000}"#, pieces }
    }

    /// Opus in `WebM`, as a browser's recorder gives it: a cluster for each piece, the head before the first.
    pub(super) fn webm(length: Duration) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-recordings");
        fs::create_dir_all(&folder).unwrap();
        let (raw, made) = (folder.join("live.pcm"), folder.join("live.webm"));
        fs::write(&raw, samples(length)).unwrap();
        let mut command = ffmpeg();
        command.args(["-y", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i"]).arg(&raw);
        command.args("-c:a libopus -b:a 32k -ar 48000 -f webm -live 1 -cluster_time_limit 250".split(' ')).arg(&made);
        assert!(command.status().expect("ffmpeg is there").success(), "ffmpeg does not make {}", made.display());
        let file = Bytes::from(fs::read(made).unwrap());
        let clusters: Vec<_> = memmem::find_iter(&file, CLUSTER).skip(1).collect();
        let starts = [0].into_iter().chain(clusters.iter().copied());
        let ends = clusters.iter().copied().chain([file.len()]);
        let pieces = starts.zip(ends).map(|(start, end)| file.slice(start..end)).collect();
        Self { wish: r#"{"model":"gpt-transcribe","audio_format":"auto"}"#, pieces }
    }
}

fn samples(length: Duration) -> Vec<u8> {
    let sentence = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/sample.wav")).unwrap();
    let bytes = |length: Duration| usize::try_from(length.as_millis()).unwrap() * 32;
    let mut turn = sentence[WAV_HEAD..].to_vec();
    turn.resize(bytes(TURN), 0);
    turn.into_iter().cycle().take(bytes(length)).collect()
}
