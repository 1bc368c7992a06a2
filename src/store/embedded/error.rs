//! The errors of opening the embedded store.

use std::io;
use std::path::PathBuf;

/// An error that keeps the embedded store from opening.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error(
        "{} is in use by another voxgate (process {holder}); give each its own VOXGATE_DATA_DIR, or set REDIS_URL for \
         gateways that share their limits", .directory.display()
    )]
    Taken {
        /// The data directory.
        directory: PathBuf,
        /// The other process, as far as its lock file names it.
        holder: String,
    },
    /// The data directory cannot be used.
    #[error("VOXGATE_DATA_DIR: {} cannot be used: {error}", .directory.display())]
    Directory {
        /// The data directory.
        directory: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The database file cannot be used.
    #[error("VOXGATE_DATA_DIR: {} cannot be used: {error}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// The error of SQLite.
        error: rusqlite::Error,
    },
}
