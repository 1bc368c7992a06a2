//! The files that settings were read from, so that it is seen when one of them changes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// Files, each with what stands for its content: that itself may be secret. Their content decides, not their time or their
/// name: Kubernetes swaps a link to a folder of new ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Content>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Unreadable,
    /// What stands for it.
    Read(u64),
    /// It came through a pipe or its like, and cannot be had again.
    Gone,
}

impl Files {
    /// Reads a file and remembers it, also where it cannot be read.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<String> {
        let is_stream = std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir());
        let text = std::fs::read_to_string(path);
        let content = match &text {
            Err(_) => Content::Unreadable,
            Ok(_) if is_stream => Content::Gone,
            Ok(text) => Content::Read(digest(text)),
        };
        self.0.insert(path.to_owned(), content);
        text
    }

    /// The same files as they are now.
    #[must_use]
    pub fn look_again(&self) -> Self {
        let mut now = Self::default();
        for (path, content) in &self.0 {
            if *content == Content::Gone {
                now.0.insert(path.clone(), Content::Gone);
                continue;
            }
            // What cannot be read is a state like any other.
            let _ = now.read(path);
        }
        now
    }

    /// One that cannot be read again: what comes of it now, if anything does, are not the settings.
    pub fn read_once(&self) -> Option<&Path> {
        self.0.iter().find(|(_, content)| **content == Content::Gone).map(|(path, _)| path.as_path())
    }

    /// These and `more`, which are seen later.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_changed_when_its_content_has_or_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (here, missing) = (folder.path().join("here"), folder.path().join("missing"));
        std::fs::write(&here, "one").unwrap();
        let mut files = Files::default();
        assert!(files.read(&here).is_ok() && files.read(&missing).is_err());
        std::fs::write(&here, "one").unwrap();
        assert_eq!(files.look_again(), files, "written again, and the same");
        std::fs::write(&here, "two").unwrap();
        assert_ne!(files.look_again(), files);
        std::fs::write(&here, "one").unwrap();
        std::fs::write(&missing, "").unwrap();
        assert_ne!(files.look_again(), files);
    }
}
