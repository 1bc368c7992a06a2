//! Long recordings, made by ffmpeg: one sentence over and over, with its pause. They are kept in Cargo's folder for such files,
//! since to make them takes longer than to measure them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A container with its usual codec.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    /// Opus, as browsers record it.
    WebM,
    Mp3,
    /// AAC, as telephones record it.
    M4a,
    Flac,
}

impl Format {
    /// The end of a file's name.
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::WebM => "webm",
            Self::Mp3 => "mp3",
            Self::M4a => "m4a",
            Self::Flac => "flac",
        }
    }

    /// What ffmpeg is told about the sound. It works fast rather than well, which decoders hardly notice.
    const fn encoding(self) -> &'static str {
        match self {
            Self::WebM => "-c:a libopus -compression_level 0 -b:a 32k -ar 48000 -ac 1",
            Self::Mp3 => "-c:a libmp3lame -compression_level 9 -b:a 64k -ar 44100 -ac 2",
            Self::M4a => "-c:a aac -aac_coder fast -b:a 64k -ar 44100 -ac 2",
            Self::Flac => "-c:a flac -ar 48000 -ac 1",
        }
    }

    /// Returns a recording of that length, which is made where there is none.
    pub(crate) fn recording(self, length: Duration) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-recordings");
        let (seconds, extension) = (length.as_secs(), self.extension());
        let recording = folder.join(format!("{seconds}.{extension}"));
        if !recording.exists() {
            println!("    ffmpeg makes {}", recording.display());
            fs::create_dir_all(&folder).unwrap();
            let unfinished = folder.join(format!("unfinished.{extension}"));
            let sentence = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/sample.wav");
            let mut command = ffmpeg();
            command.args(["-y", "-stream_loop", "-1", "-i"]).arg(sentence).args(["-t", &seconds.to_string()]);
            let made = command.args(self.encoding().split(' ')).arg(&unfinished).status().expect("ffmpeg is there");
            assert!(made.success(), "ffmpeg does not make {}", recording.display());
            fs::rename(unfinished, &recording).unwrap();
        }
        recording
    }
}

/// A command that says nothing but errors.
pub(crate) fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}
