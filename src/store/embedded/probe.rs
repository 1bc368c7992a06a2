//! For `voxgate check`: a test of the data directory. The test creates no files there that stay, so that the user of
//! the command does not come to own the gateway's files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, absolute};

use super::database::Database;
use super::error::OpenError;
use super::lock::{LOCK_FILE, holder};
use super::store::Embedded;
use crate::config::Namespace;
use crate::private_dir;

/// The state of a usable data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// No directory yet; it can be created.
    Missing,
    /// A directory that no process has open.
    Free,
    /// The directory of a running gateway.
    InUse {
        /// The process of that gateway, as far as the lock file names it.
        holder: String,
    },
}

impl Embedded {
    /// Checks that a store in `directory` could be opened, apart from a gateway that has it open.
    pub fn probe(directory: &Path, namespace: Namespace) -> Result<ProbeResult, OpenError> {
        let found = probe_directory(directory)?;
        if let Some(mut lock) = open_existing(directory, LOCK_FILE)? {
            // Shared, so that two checks do not see each other; and only for this moment, in which no gateway can
            // start.
            match lock.try_lock_shared() {
                Ok(()) => drop(lock),
                Err(TryLockError::WouldBlock) => return Ok(ProbeResult::InUse { holder: holder(&mut lock) }),
                Err(TryLockError::Error(error)) => return Err(unusable(directory)(error)),
            }
        }
        if open_existing(directory, namespace.database())?.is_some() {
            let file = directory.join(namespace.database());
            Database::open_to_read(&file).map_err(|error| OpenError::Database { file, error })?;
        }
        Ok(found)
    }
}

/// Checks that files can be created in `directory`, or that the directory itself can be created.
pub fn probe_directory(directory: &Path) -> Result<ProbeResult, OpenError> {
    let whole = absolute(directory).map_err(unusable(directory))?;
    for place in whole.ancestors() {
        if place.try_exists().map_err(unusable(directory))? {
            if place == whole {
                private_dir::check(directory).map_err(unusable(directory))?;
            }
            // The file has no name, or only briefly. The text of the error contains that name; its kind does not.
            tempfile::tempfile_in(place).map_err(|error| unusable(directory)(error.kind().into()))?;
            return Ok(if place == whole { ProbeResult::Free } else { ProbeResult::Missing });
        }
    }
    Err(unusable(directory)(io::ErrorKind::NotFound.into()))
}

/// Opens a file of the directory as the gateway does; `None`: it does not exist.
fn open_existing(directory: &Path, name: &str) -> Result<Option<File>, OpenError> {
    match private_dir::open(&directory.join(name), OpenOptions::new().read(true).write(true)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&directory.join(name))(error)),
    }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |error| OpenError::Directory { directory: path.to_owned(), error }
}
