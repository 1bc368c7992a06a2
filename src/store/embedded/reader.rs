//! Reads and revocations for the operator, beside the gateway that writes to the file.

use std::path::Path;

use super::database::Database;
use super::failure::failed;
use crate::config::Namespace;
use crate::domain::{Month, Subject, UnixMs};
use crate::identity::revocation::Revocation;
use crate::ledger::{Entry, Statement};
use crate::limits::session::Session;
use crate::store::StoreError;

/// The embedded store, opened for reading only.
#[derive(Debug)]
pub(crate) struct Reader(Database);

impl Reader {
    /// Opens the ledger of `namespace` in `directory`; `None`: a gateway has never written there.
    pub(crate) fn open(directory: &Path, namespace: Namespace) -> Result<Option<Self>, StoreError> {
        let file = directory.join(namespace.database());
        // An unreadable directory is an error, not an empty directory.
        if !file.try_exists().map_err(|error| StoreError::Io(error.to_string()))? {
            return Ok(None);
        }
        Ok(Some(Self(Database::open_to_read(&file).map_err(|error| failed(&error))?)))
    }

    /// Returns a caller's usage in a month.
    pub(crate) fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        self.0.statement(subject, month).map_err(|error| failed(&error))
    }

    /// Returns the session of this id, unless it has ended.
    pub(crate) fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.0.session(id, UnixMs::now()).map_err(|error| failed(&error))
    }

    /// Returns every caller that was charged in a month.
    pub(crate) fn subjects(&self, month: Month) -> Result<Vec<Subject>, StoreError> {
        self.0.subjects(month).map_err(|error| failed(&error))
    }

    /// Returns the records of one caller, or of all, that were admitted in a month.
    pub(crate) fn entries(&self, subject: Option<&Subject>, month: Month) -> Result<Vec<Entry>, StoreError> {
        self.0.entries(subject, month).map_err(|error| failed(&error))
    }
}

/// Revokes tokens, also while a gateway has the store in `directory` open: that gateway looks for revocations at each
/// request. `false`: no gateway has ever written there.
pub(crate) fn revoke_beside(
    directory: &Path,
    namespace: Namespace,
    revocation: &Revocation,
) -> Result<bool, StoreError> {
    let written = Database::open_beside(&directory.join(namespace.database())).and_then(|database| {
        let Some(mut database) = database else { return Ok(false) };
        let writer = database.begin()?;
        writer.revoke(revocation)?;
        writer.commit().map(|()| true)
    });
    written.map_err(|error| failed(&error))
}
