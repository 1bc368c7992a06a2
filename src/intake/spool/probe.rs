//! The check that the spool's directory can hold recordings.

use std::io;
use std::path::{Path, PathBuf};

/// The error of a directory in which the spool can make no file.
#[derive(Debug, thiserror::Error)]
#[error("intake.spool_dir: no file can be made in {}: {error}", directory.display())]
pub struct SpoolDirectoryError {
    /// The directory.
    pub directory: PathBuf,
    /// The system's error.
    pub error: io::Error,
}

/// Makes a file in `directory` and removes it.
pub fn probe_directory(directory: &Path) -> Result<(), SpoolDirectoryError> {
    match tempfile::tempfile_in(directory) {
        Ok(_) => Ok(()),
        Err(error) => Err(SpoolDirectoryError { directory: directory.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(probe_directory(folder.path()).is_ok());
        let error = probe_directory(&folder.path().join("none")).unwrap_err();
        assert!(error.to_string().starts_with("intake.spool_dir: no file can be made in "), "{error}");
    }
}
