//! The files that transcripts are written to: their names, and writing them whole.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::input::{Input, shown};

/// The mode of a new file before the user's umask.
const FILE_MODE: u32 = 0o666;

/// The reason why no transcript can be written where it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// Two recordings with one name.
    #[error(
        "{first} and {second} would both be written to {name}: rename one, or give each run an --output of its own"
    )]
    SameName {
        /// The recording that comes first.
        first: String,
        /// The other one.
        second: String,
        /// The name of the transcript.
        name: String,
    },
    /// A transcript in the place of a recording.
    #[error("{name} is a recording and would be replaced by its transcript: choose another --output")]
    InPlaceOfInput {
        /// The name of both.
        name: String,
    },
    /// A folder that cannot be made or written to.
    #[error("--output: {folder} cannot be written to: {error}")]
    Folder {
        /// The folder.
        folder: String,
        /// The error of the system.
        error: io::Error,
    },
}

/// The file for one transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputFile {
    path: PathBuf,
    /// The file for what was heard of a recording that was not transcribed whole.
    incomplete: PathBuf,
}

/// What became of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is in its file.
    New,
    /// Another program wrote the file in the meantime, which stays.
    WasThere,
}

impl OutputFile {
    /// Returns a file in `folder` for each of `inputs`. Refuses names that differ in upper and lower case alone, since many
    /// file systems take them for one.
    pub(super) fn plan(inputs: &[Input], folder: &Path, extension: &str) -> Result<Vec<Self>, OutputError> {
        let mut taken: HashMap<String, &Input> = HashMap::new();
        let mut files = Vec::new();
        for input in inputs {
            let (name, incomplete) =
                (format!("{}.{extension}", input.stem()), format!("{}.incomplete.{extension}", input.stem()));
            let (path, incomplete) = (folder.join(&name), folder.join(incomplete));
            if let Some(first) = taken.insert(name.to_lowercase(), input) {
                return Err(OutputError::SameName { first: first.label(), second: input.label(), name: shown(&path) });
            }
            if let Input::File(recording) = input
                && is_same_file(recording, &path)
            {
                return Err(OutputError::InPlaceOfInput { name: shown(&path) });
            }
            files.push(Self { path, incomplete });
        }
        Ok(files)
    }

    /// Returns true if the transcript is there.
    pub(super) fn exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// Returns the name for messages.
    pub(super) fn label(&self) -> String {
        shown(&self.path)
    }

    /// Writes the transcript. Nobody ever sees a part of it: it gets its name when it is whole and on the disk.
    pub(super) fn write(&self, transcript: &[u8], overwrite: bool) -> io::Result<Written> {
        let written = write_whole(&self.path, transcript, overwrite)?;
        // What was heard in an earlier run is in the transcript now.
        let _ = fs::remove_file(&self.incomplete);
        Ok(written)
    }

    /// Writes what was heard of a recording, and returns the name of that file for messages.
    pub(super) fn write_incomplete(&self, heard: &[u8]) -> io::Result<String> {
        write_whole(&self.incomplete, heard, true)?;
        Ok(shown(&self.incomplete))
    }
}

/// Makes `folder`, and tries to write to it.
pub(super) fn prepare_folder(folder: &Path) -> Result<(), OutputError> {
    let tried = fs::create_dir_all(folder).and_then(|()| aside(folder).map(drop));
    tried.map_err(|error| OutputError::Folder { folder: shown(folder), error })
}

fn write_whole(path: &Path, content: &[u8], overwrite: bool) -> io::Result<Written> {
    let mut file = aside(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    let persisted = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    match persisted {
        Ok(_) => Ok(Written::New),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(Written::WasThere),
        Err(error) => Err(error.error),
    }
}

/// Opens a file in `folder` under another name, which vanishes unless it is renamed.
fn aside(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let permissions = Permissions::from_mode(FILE_MODE);
    tempfile::Builder::new().prefix(".voxgate-").suffix(".part").permissions(permissions).tempfile_in(folder)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    id(one).is_some_and(|one| Some(one) == id(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Input {
        Input::File(PathBuf::from(path))
    }

    #[test]
    fn names_that_a_file_system_takes_for_one_are_refused() {
        let folder = Path::new("out");
        for other in ["b/talk.mp3", "TALK.mp3", "a/talk.m4a"] {
            let refused = OutputFile::plan(&[file("a/talk.m4a"), file(other)], folder, "srt").unwrap_err();
            let message = refused.to_string();
            assert!(message.contains("a/talk.m4a and ") && message.contains(other), "{message}");
        }
        let planned =
            OutputFile::plan(&[file("talk.m4a"), file("talk.2.m4a"), Input::Standard], folder, "srt").unwrap();
        let names: Vec<_> = planned.iter().map(OutputFile::label).collect();
        assert_eq!(names, ["out/talk.srt", "out/talk.2.srt", "out/stdin.srt"]);
    }

    #[test]
    fn no_transcript_replaces_its_recording() {
        let folder = tempfile::tempdir().unwrap();
        let recording = folder.path().join("talk.txt");
        fs::write(&recording, "RIFF").unwrap();
        let refused = OutputFile::plan(&[Input::File(recording)], folder.path(), "txt");
        assert!(matches!(refused, Err(OutputError::InPlaceOfInput { .. })), "{refused:?}");
    }

    #[test]
    fn a_file_is_replaced_only_if_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = OutputFile::plan(&[file("talk.m4a")], folder.path(), "txt").unwrap().remove(0);
        assert_eq!(file.write(b"one", false).unwrap(), Written::New);
        assert_eq!(file.write(b"two", false).unwrap(), Written::WasThere);
        assert_eq!(fs::read(&file.path).unwrap(), b"one");
        assert_eq!(file.write(b"three", true).unwrap(), Written::New);
        assert_eq!(fs::read(&file.path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
    }

    #[test]
    fn the_whole_transcript_takes_the_place_of_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let file = OutputFile::plan(&[file("talk.m4a")], folder.path(), "txt").unwrap().remove(0);
        assert!(file.write_incomplete(b"half").unwrap().ends_with("talk.incomplete.txt"));
        assert!(!file.exists() && file.incomplete.exists());
        file.write(b"whole", false).unwrap();
        assert!(file.exists() && !file.incomplete.exists());
    }
}
