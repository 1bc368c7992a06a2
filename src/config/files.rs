//! The files that settings were read from, for the detection of changes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::text::without_byte_order_mark;

/// The files, each with a digest of its content, since the content may be secret. Only the content decides, not the time
/// or the name: Kubernetes swaps a link to a folder of new files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Content>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Unreadable,
    /// The digest of the content.
    Read(u64),
    /// The content came through a pipe or the like, and cannot be read again.
    Gone,
}

impl Files {
    /// Reads a file and records it, even if it is unreadable.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<String> {
        let is_stream = std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir());
        let text = std::fs::read(path).and_then(|bytes| text_of(&bytes));
        let content = match &text {
            Err(_) => Content::Unreadable,
            Ok(_) if is_stream => Content::Gone,
            Ok(text) => Content::Read(digest(text)),
        };
        self.0.insert(path.to_owned(), content);
        text
    }

    /// Reads the same files again.
    #[must_use]
    pub fn read_again(&self) -> Self {
        let mut now = Self::default();
        for (path, content) in &self.0 {
            if *content == Content::Gone {
                now.0.insert(path.clone(), Content::Gone);
                continue;
            }
            // An unreadable file is a state like any other.
            let _ = now.read(path);
        }
        now
    }

    /// Returns a source that can be read only once, such as a pipe: a second read would not give the settings.
    pub fn read_once(&self) -> Option<&Path> {
        self.0.iter().find(|(_, content)| **content == Content::Gone).map(|(path, _)| path.as_path())
    }

    /// Adds the files of `more`, which were read later.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}

/// Decodes the text of a file without a byte order mark, which some editors write before UTF-8: in a secret it would be
/// invisible.
fn text_of(bytes: &[u8]) -> io::Result<String> {
    let not_text = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    // PowerShell's `>` and Notepad's "Unicode" write UTF-16 with a mark; without one, every other byte of plain text is
    // zero.
    let is_utf_16 = [b"\xff\xfe".as_slice(), b"\xfe\xff"].iter().any(|mark| bytes.starts_with(mark));
    if is_utf_16 || bytes.get(..4.min(bytes.len())).is_some_and(|first| first.contains(&0)) {
        return Err(not_text("it is UTF-16 or no text at all; save it as UTF-8"));
    }
    String::from_utf8(without_byte_order_mark(bytes).to_vec())
        .map_err(|_| not_text("it is not UTF-8; save it as UTF-8"))
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
    fn a_byte_order_mark_is_no_part_of_a_file_and_utf_16_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let read = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            Files::default().read(&file).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"\xef\xbb\xbfs\xc3\xa9cret\r\n").as_deref(), Ok("s\u{e9}cret\r\n"));
        assert_eq!(read(b"").as_deref(), Ok(""));
        for bytes in [b"\xff\xfes\0e\0".as_slice(), b"\xfe\xff\0s\0e", b"s\0e\0c\0", b"\0s\0e", b"\xff\xfe"] {
            assert!(read(bytes).unwrap_err().contains("save it as UTF-8"), "{bytes:?}");
        }
        assert!(read(b"s\xe9cret").unwrap_err().contains("is not UTF-8"));
    }

    #[test]
    fn a_file_has_changed_when_its_content_has_or_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (here, missing) = (folder.path().join("here"), folder.path().join("missing"));
        std::fs::write(&here, "one").unwrap();
        let mut files = Files::default();
        assert!(files.read(&here).is_ok() && files.read(&missing).is_err());
        std::fs::write(&here, "one").unwrap();
        assert_eq!(files.read_again(), files, "written again, and the same");
        std::fs::write(&here, "two").unwrap();
        assert_ne!(files.read_again(), files);
        std::fs::write(&here, "one").unwrap();
        std::fs::write(&missing, "").unwrap();
        assert_ne!(files.read_again(), files);
    }
}
