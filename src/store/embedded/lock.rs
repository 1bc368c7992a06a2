//! The lock on the data directory: one process has the embedded store open.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::OpenError;
use crate::private_dir;

/// The name of the lock file.
pub(super) const LOCK_FILE: &str = "voxgate.lock";

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    file: File,
    path: PathBuf,
}

impl DirectoryLock {
    /// Locks `directory` for this process.
    pub(super) fn acquire(directory: &Path) -> Result<Self, OpenError> {
        let unusable = |error| OpenError::Directory { directory: directory.to_owned(), error };
        let path = directory.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = private_dir::open(&path, &mut options).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {
                // For the error message of a second process.
                name_this_process(&mut file).map_err(unusable)?;
                Ok(Self { file, path })
            }
            Err(TryLockError::WouldBlock) => {
                Err(OpenError::Taken { directory: directory.to_owned(), holder: holder(&mut file) })
            }
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Returns true if the file in the directory is no longer the one that was locked: the directory was taken away.
    pub(super) fn is_gone(&self) -> bool {
        let locked = self.file.metadata().map(|file| file.ino()).ok();
        let found = fs::metadata(&self.path).map(|file| file.ino()).ok();
        locked != found
    }
}

fn name_this_process(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

/// Returns the process that has the lock, as far as the lock file names it.
pub(super) fn holder(lock: &mut File) -> String {
    let mut holder = String::new();
    let read = lock.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    if read { holder.trim().to_owned() } else { "unknown".to_owned() }
}
