//! ffmpeg, which writes and decodes recordings.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::tools::require_tool;

/// The program.
pub(crate) struct Ffmpeg {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Ffmpeg {
    /// Finds the program; `None` skips the test.
    pub(crate) fn find() -> Option<Self> {
        let program = require_tool("ffmpeg", "REQUIRE_TOOLS")?;
        Some(Self { program, folder: tempfile::tempdir().unwrap() })
    }

    /// Writes `wav` in another format.
    pub(crate) fn write(&self, wav: &[u8], arguments: &[&str], extension: &str) -> Vec<u8> {
        let [from, to] = ["source.wav", &format!("written.{extension}")].map(|name| self.folder.path().join(name));
        fs::write(&from, wav).unwrap();
        let mut command = Command::new(&self.program);
        command.args(["-v", "error", "-y", "-i"]).arg(&from).args(arguments).args(["-fflags", "+bitexact"]).arg(&to);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        fs::read(&to).unwrap()
    }

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) {
        let output = Command::new(&self.program).args(["-v", "error", "-y"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Decodes a recording to 16 kHz mono.
    pub(crate) fn decode(&self, bytes: &[u8], extension: &str) -> Vec<f32> {
        let from = self.folder.path().join(format!("recording.{extension}"));
        fs::write(&from, bytes).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(["-v", "error", "-i"])
            .arg(&from)
            .args(["-map", "0:a:0", "-ac", "1", "-ar", "16000", "-f", "s16le", "-"]);
        let output = command.output().unwrap().stdout;
        output.as_chunks::<2>().0.iter().map(|sample| f32::from(i16::from_le_bytes(*sample)) / 32_768.0).collect()
    }
}
