//! Errors of SQLite as errors of the store.

use crate::store::StoreError;

/// Converts an error of SQLite: the file holds something unreadable, or it cannot be used.
pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}
