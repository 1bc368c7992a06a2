//! The files that transcripts are written to: their names, and writing them whole.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::input::{Input, shown};

/// The beginning and the end of the name of a file that is being written.
const PREFIX: &str = ".voxgate-";
const SUFFIX: &str = ".part";

/// The mode of a new file before the user's umask.
const FILE_MODE: u32 = 0o666;

/// The longest name of a file, in bytes, on all usual file systems.
const MAX_NAME_BYTES: usize = 255;

/// The ending of the name of a file with a part of a transcript. No transcript's name ends so.
const INCOMPLETE: &str = "incomplete";

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
    /// A folder that another run writes to.
    #[error("--output: another run writes to {0} now, and would pay for the same recordings")]
    InUse(String),
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

/// Whether a transcript is there, and whether it can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It can be written.
    Free,
    /// It is there.
    Done,
    /// It could not be written, for this reason.
    Blocked(String),
}

/// The result of writing a transcript.
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
            let name = format!("{}.{extension}", input.stem());
            let (path, incomplete) = (folder.join(&name), folder.join(format!("{name}.{INCOMPLETE}")));
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

    /// Tells whether the transcript is there, and if not, whether it can be written. Ask before a recording is sent: what
    /// cannot be written is paid for all the same.
    pub(super) fn state(&self, overwrite: bool) -> State {
        let longest = self.incomplete.file_name().map_or(0, OsStr::len);
        if longest > MAX_NAME_BYTES {
            return State::Blocked(format!("{}: the name is too long for a file", self.label()));
        }
        let Ok(found) = fs::symlink_metadata(&self.path) else { return State::Free };
        let is_replaceable = found.is_file() || found.is_symlink();
        if overwrite && is_replaceable {
            return State::Free;
        }
        match fs::metadata(&self.path) {
            Ok(file) if file.is_file() && file.len() > 0 => State::Done,
            _ if is_replaceable => {
                State::Blocked(format!("{} is there, and has no transcript: --overwrite replaces it", self.label()))
            }
            _ => State::Blocked(format!("{} is there, and is no file", self.label())),
        }
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

/// A folder that no other run writes to until this is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _folder: Option<File>,
}

/// Makes `folder`, keeps other runs out of it, and tries to write to it just as transcripts are written.
pub(super) fn prepare_folder(folder: &Path) -> Result<FolderLock, OutputError> {
    let failed = |error| OutputError::Folder { folder: shown(folder), error };
    fs::create_dir_all(folder).map_err(failed)?;
    let opened = File::open(folder).map_err(failed)?;
    let lock = match opened.try_lock() {
        Ok(()) => Some(opened),
        Err(TryLockError::WouldBlock) => return Err(OutputError::InUse(shown(folder))),
        // Some file systems know no locks.
        Err(TryLockError::Error(_)) => None,
    };
    if lock.is_some() {
        remove_leftovers(folder);
    }
    try_to_write(folder).map_err(failed)?;
    Ok(FolderLock { _folder: lock })
}

/// Removes what killed runs left behind: nobody else writes to the folder now.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.as_bytes().starts_with(PREFIX.as_bytes()) && name.as_bytes().ends_with(SUFFIX.as_bytes());
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // What cannot be removed hinders nobody.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Gives a file its name without replacing another one, which not every file system can do, and removes it.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let file = aside(folder)?;
    let path = file.path().with_extension("check");
    file.persist_noclobber(&path).map_err(|error| error.error)?;
    fs::remove_file(path)
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
    tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).permissions(permissions).tempfile_in(folder)
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
        assert!(file.write_incomplete(b"half").unwrap().ends_with("talk.txt.incomplete"));
        assert!(file.state(false) == State::Free && file.incomplete.exists());
        file.write(b"whole", false).unwrap();
        assert!(file.state(false) == State::Done && !file.incomplete.exists());
    }

    #[test]
    fn no_part_has_the_name_of_another_transcript() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = [file("talk.wav"), file("talk.incomplete.wav"), file("talk.txt.wav")];
        let files = OutputFile::plan(&inputs, folder.path(), "txt").unwrap();
        for file in &files {
            file.write(b"mine", false).unwrap();
        }
        for file in &files {
            file.write_incomplete(b"half").unwrap();
            file.write(b"again", true).unwrap();
        }
        assert!(files.iter().all(|file| fs::read(&file.path).unwrap() == b"again"));
    }

    #[test]
    fn only_a_file_with_content_is_a_transcript() {
        let folder = tempfile::tempdir().unwrap();
        let inputs: Vec<_> = ["whole", "empty", "folder", "dangling", "absent"].map(file).into();
        let files = OutputFile::plan(&inputs, folder.path(), "txt").unwrap();
        fs::write(&files[0].path, "words").unwrap();
        fs::write(&files[1].path, "").unwrap();
        fs::create_dir(&files[2].path).unwrap();
        std::os::unix::fs::symlink("nowhere", &files[3].path).unwrap();
        let states = |overwrite| files.iter().map(|file| file.state(overwrite)).collect::<Vec<_>>();
        let is_blocked = |state: &State| matches!(state, State::Blocked(_));
        assert_eq!(states(false).iter().map(is_blocked).collect::<Vec<_>>(), [false, true, true, true, false]);
        assert_eq!(states(false)[0], State::Done);
        assert_eq!(states(true).iter().map(is_blocked).collect::<Vec<_>>(), [false, false, true, false, false]);
    }

    #[test]
    fn a_name_that_no_file_can_have_is_told_before() {
        let long = OutputFile::plan(&[file(&"a".repeat(250))], Path::new("out"), "txt").unwrap().remove(0);
        assert!(matches!(long.state(true), State::Blocked(_)));
    }

    #[test]
    fn one_run_at_a_time_writes_to_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".voxgate-abc.part");
        fs::write(&left, "half").unwrap();
        let lock = prepare_folder(folder.path()).unwrap();
        assert!(!left.exists(), "what a killed run left is still there");
        assert!(matches!(prepare_folder(folder.path()), Err(OutputError::InUse(_))));
        drop(lock);
        prepare_folder(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
