//! What ffmpeg has made and played before: the same ffmpeg makes the same of it again, and takes most of the time of these
//! tests. It is kept in Cargo's folder for such things (`target/tmp`); `cargo clean` forgets it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What this ffmpeg has made and played.
pub(crate) struct Cache {
    /// What ffmpeg says of itself, and how it is used.
    ffmpeg: Vec<u8>,
    folder: PathBuf,
    played: Mutex<(HashMap<u64, u64>, File)>,
}

impl Cache {
    pub(crate) fn of(ffmpeg: Vec<u8>) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ffmpeg");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("played");
        // A line that was cut off is none.
        let lines = std::fs::read_to_string(&file).unwrap_or_default();
        let entries = lines.split_inclusive('\n').filter_map(|line| line.strip_suffix(" ms\n")?.split_once(' '));
        let entries = entries.filter_map(|(key, ms)| Some((u64::from_str_radix(key, 16).ok()?, ms.parse().ok()?)));
        let entries = entries.collect();
        let file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        Self { ffmpeg, folder, played: Mutex::new((entries, file)) }
    }

    /// How many milliseconds of `recording` were played, or else what `play` finds.
    pub(crate) fn played(&self, recording: &[u8], play: impl FnOnce() -> u64) -> u64 {
        let key = self.key(recording);
        if let Some(ms) = self.played.lock().unwrap().0.get(&key) {
            return *ms;
        }
        let ms = play();
        let (entries, file) = &mut *self.played.lock().unwrap();
        entries.insert(key, ms);
        file.write_all(format!("{key:x} {ms} ms\n").as_bytes()).unwrap();
        ms
    }

    /// What was recorded with these arguments, or else what `record` makes.
    pub(crate) fn recorded(&self, arguments: &[&str], record: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        let file = self.folder.join(format!("{:x}", self.key(arguments)));
        if let Ok(recording) = std::fs::read(&file) {
            return recording;
        }
        let recording = record();
        let mut new = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        new.write_all(&recording).unwrap();
        new.persist(file).unwrap();
        recording
    }

    fn key(&self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.ffmpeg, of).hash(&mut hasher);
        hasher.finish()
    }
}
