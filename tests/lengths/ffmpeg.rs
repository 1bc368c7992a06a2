//! ffmpeg, as the recorder and as the player.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::cache::Cache;
use super::formats::Format;

/// Six seconds of noise that comes and goes like speech, always the same.
const SOUND: &str = "anoisesrc=d=6:c=pink:a=0.4:seed=7:r=48000,tremolo=f=3:d=0.9,aformat=channel_layouts=stereo";
const PICTURE: &str = "testsrc=d=6:s=160x120:r=10";

pub(crate) struct Ffmpeg {
    folder: TempDir,
    files: AtomicUsize,
    cache: Cache,
}

impl Ffmpeg {
    pub(crate) fn find() -> Option<Self> {
        let found = Command::new("ffmpeg").arg("-version").stderr(Stdio::null()).output().ok()?;
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let cache = Cache::of([&found.stdout[..], include_bytes!("ffmpeg.rs")].concat());
        found.status.success().then(|| Self { folder, files: AtomicUsize::new(0), cache })
    }

    fn fresh(&self, ending: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{ending}", self.files.fetch_add(1, Ordering::Relaxed)))
    }

    /// A recording in `format`.
    pub(crate) fn make(&self, format: &Format) -> Vec<u8> {
        self.make_lasting(format, 6)
    }

    /// A recording of so many seconds, six at most.
    pub(crate) fn make_lasting(&self, format: &Format, seconds: u8) -> Vec<u8> {
        let mut arguments = vec!["-f", "lavfi", "-i", SOUND];
        if format.picture {
            arguments.extend(["-f", "lavfi", "-i", PICTURE]);
        }
        let seconds = seconds.to_string();
        arguments.extend(format.arguments.split_whitespace().chain(["-bitexact", "-strict", "-2", "-t", &seconds]));
        let destination = if format.piped { "-" } else { format.ending };
        self.cache.recorded(&[&arguments[..], &[destination]].concat(), || self.record(format, &arguments))
    }

    fn record(&self, format: &Format, arguments: &[&str]) -> Vec<u8> {
        let file = self.fresh(format.ending);
        let mut command = command();
        command.args(arguments);
        let made = if format.piped { command.arg("-") } else { command.arg(&file) }.output().unwrap();
        assert!(made.status.success(), "{}: {}", format.name, String::from_utf8_lossy(&made.stderr));
        if format.piped {
            return made.stdout;
        }
        let recording = std::fs::read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        recording
    }

    /// How many milliseconds of sound ffmpeg plays: the audio track of which there is most.
    pub(crate) fn plays(&self, bytes: &[u8]) -> u64 {
        self.cache.played(bytes, || self.play(bytes))
    }

    fn play(&self, bytes: &[u8]) -> u64 {
        // No ending: ffmpeg is to go by what it finds.
        let file = self.fresh("bin");
        std::fs::write(&file, bytes).unwrap();
        let (first, tracks) = plays_track(&file, 0);
        let longest = (1..tracks.min(4)).map(|track| plays_track(&file, track).0).fold(first, u64::max);
        std::fs::remove_file(file).unwrap();
        longest
    }
}

/// How long a track plays, and how many tracks of sound there are.
fn plays_track(file: &Path, track: usize) -> (u64, usize) {
    const RATE: usize = 16_000;
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-threads", "1", "-i"]).arg(file);
    command.args(["-map", &format!("0:a:{track}"), "-ac", "1", "-ar", &RATE.to_string()]);
    // What plays for hours need not be heard to its end.
    let output = command.args(["-t", "100000", "-f", "s16le", "-"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let described = said.split("Output #0").next().unwrap_or_default();
    let tracks = described.lines().filter(|line| line.contains("Stream #0:") && line.contains(": Audio:")).count();
    ((output.stdout.len() / 2 * 1000 / RATE).try_into().unwrap(), tracks)
}

fn command() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-threads", "1"]);
    command
}
