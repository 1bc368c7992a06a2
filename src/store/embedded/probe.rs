//! For `voxgate check`: whether a gateway could open its data directory. Nothing is made there, so that whoever checks
//! does not come to own what the gateway shall write.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, absolute};

use super::database::Database;
use super::{Embedded, LOCK, OpenError, holder};
use crate::config::Namespace;
use crate::private_dir;

/// What is at a data directory that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet; it can be made.
    Nothing,
    /// A directory that nobody has open.
    Free,
    /// The directory of a gateway that runs.
    InUse {
        /// Its process, as far as it said.
        holder: String,
    },
}

impl Embedded {
    /// Whether the store in `directory` could be opened, but for a gateway that has it open.
    pub fn try_out(directory: &Path, namespace: Namespace) -> Result<Found, OpenError> {
        let found = try_directory(directory)?;
        if let Some(mut lock) = try_file(directory, LOCK)? {
            // Shared, so that two checks do not see each other; and only for this moment, in which no gateway can start.
            match lock.try_lock_shared() {
                Ok(()) => drop(lock),
                Err(TryLockError::WouldBlock) => return Ok(Found::InUse { holder: holder(&mut lock) }),
                Err(TryLockError::Error(error)) => return Err(unusable(directory)(error)),
            }
        }
        if try_file(directory, namespace.database())?.is_some() {
            let file = directory.join(namespace.database());
            Database::open_to_read(&file).map_err(|error| OpenError::Database { file, error })?;
        }
        Ok(found)
    }
}

/// Whether files can be made in `directory`, or it can be made itself.
pub fn try_directory(directory: &Path) -> Result<Found, OpenError> {
    let whole = absolute(directory).map_err(unusable(directory))?;
    for place in whole.ancestors() {
        if place.try_exists().map_err(unusable(directory))? {
            if place == whole {
                private_dir::check(directory).map_err(unusable(directory))?;
            }
            // The file has no name, or not for long. The error's text has that name in it; its kind does not.
            tempfile::tempfile_in(place).map_err(|error| unusable(directory)(error.kind().into()))?;
            return Ok(if place == whole { Found::Free } else { Found::Nothing });
        }
    }
    Err(unusable(directory)(io::ErrorKind::NotFound.into()))
}

/// A file of the directory, opened as the gateway does; `None`: it is not there.
fn try_file(directory: &Path, name: &str) -> Result<Option<File>, OpenError> {
    match private_dir::open(&directory.join(name), OpenOptions::new().read(true).write(true)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&directory.join(name))(error)),
    }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |error| OpenError::Directory { directory: path.to_owned(), error }
}
