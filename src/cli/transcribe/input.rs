//! The recordings that the command line names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::text::printable;

/// The endings of the names of recordings, by which they are found in a folder. A file that the command line names itself
/// may have any.
const EXTENSIONS: [&str; 20] = [
    "aif", "aiff", "caf", "flac", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg",
    "opus", "wav", "weba", "webm",
];

/// The longest name in a message, in characters.
const MAX_SHOWN_NAME: usize = 200;
/// The longest name for the gateway, in characters. No file system has longer ones.
const MAX_SENT_NAME: usize = 255;

/// A recording to transcribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Standard input.
    Standard,
    /// A file, which may be missing or unreadable.
    File(PathBuf),
}

/// The reason why arguments name no recordings.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    /// A folder without recordings.
    #[error("{0}: there is no recording directly in this folder ({list})", list = EXTENSIONS.join(", "))]
    EmptyFolder(String),
    /// Standard input, twice.
    #[error("- stands for standard input, which can be read only once")]
    StandardTwice,
}

impl Input {
    /// Returns the recordings that `arguments` name, with those of a folder in the order of their names.
    pub(super) fn expand(arguments: &[PathBuf]) -> Result<Vec<Self>, InputError> {
        let mut inputs = Vec::new();
        for path in arguments {
            if path == Path::new("-") {
                if inputs.contains(&Self::Standard) {
                    return Err(InputError::StandardTwice);
                }
                inputs.push(Self::Standard);
            } else if path.is_dir() {
                inputs.extend(in_folder(path)?.into_iter().map(Self::File));
            } else {
                inputs.push(Self::File(path.clone()));
            }
        }
        Ok(inputs)
    }

    /// Returns the name for messages.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Standard => "standard input".to_owned(),
            Self::File(path) => shown(path),
        }
    }

    /// Returns the name of a transcript of this recording, without its ending.
    pub(super) fn stem(&self) -> String {
        match self {
            Self::Standard => "stdin".to_owned(),
            Self::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// Returns the name of the file for the gateway, which takes no line break in it. Providers tell the file format by its
    /// ending.
    pub(super) fn file_name(&self) -> String {
        match self {
            Self::Standard => "recording".to_owned(),
            Self::File(path) => printable(&path.file_name().unwrap_or_default().to_string_lossy(), MAX_SENT_NAME),
        }
    }

    /// Returns what two recordings that are one file have in common.
    pub(super) fn identity(&self) -> Option<PathBuf> {
        let Self::File(path) = self else { return None };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).join(path.file_name()?))
    }
}

/// Formats a path for messages, without what a terminal would obey.
pub(super) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), MAX_SHOWN_NAME)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    // A folder that cannot be read fails like a file that cannot: alone, when its turn comes.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(vec![folder.to_owned()]) };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<_> = paths.filter(|path| is_recording(path)).collect();
    found.sort();
    if found.is_empty() { Err(InputError::EmptyFolder(shown(folder))) } else { Ok(found) }
}

/// Returns true for a file whose name ends as those of recordings do, and which is not hidden.
fn is_recording(path: &Path) -> bool {
    let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    !is_hidden && extension.is_some_and(|found| EXTENSIONS.contains(&found.as_str())) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_recordings_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.MP3", "a.wav", "notes.txt", ".hidden.wav", "c"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("deeper.wav")).unwrap();
        let inputs = Input::expand(&[folder.path().to_owned(), PathBuf::from("-")]).unwrap();
        let labels: Vec<_> = inputs.iter().map(Input::file_name).collect();
        assert_eq!(labels, ["a.wav", "b.MP3", "recording"]);
    }

    #[test]
    fn no_name_breaks_the_head_of_its_part() {
        assert_eq!(Input::File(PathBuf::from("in/a\r\nb.wav")).file_name(), "ab.wav");
    }

    #[test]
    fn folders_without_recordings_and_two_standard_inputs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let empty = Input::expand(&[folder.path().to_owned()]).unwrap_err();
        assert!(empty.to_string().contains("m4a"), "{empty}");
        assert!(Input::expand(&[PathBuf::from("-"), PathBuf::from("-")]).is_err());
        assert_eq!(Input::expand(&[PathBuf::from("./-")]).unwrap(), [Input::File(PathBuf::from("./-"))]);
    }
}
