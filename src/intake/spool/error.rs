//! The reasons why a spool could not be written.

use std::io;

use crate::fair_share::Refused;

/// The reason why bytes could not be appended.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The spool quota has no space for more of this caller's recordings.
    #[error("there is no room for another recording")]
    NoRoom(Refused),
    /// The file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Refused> for SpoolError {
    fn from(refused: Refused) -> Self {
        Self::NoRoom(refused)
    }
}
