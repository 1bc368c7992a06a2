//! Revoked tokens, as this process and the store know them.

use std::sync::Arc;

use crate::domain::Subject;
use crate::identity::known_revocations::{KnownRevocations, MAX_REVOCATIONS};
use crate::identity::revocation::{Revocation, TokenRef};
use crate::limits::clock::Clock;
use crate::store::{Store, StoreError};

/// The revocations of the store, and those that this process knows. A known one holds whatever the store says.
#[derive(Debug)]
pub struct Revocations {
    store: Arc<Store>,
    known: KnownRevocations,
    clock: Clock,
}

impl Revocations {
    /// Creates the revocations of `store`. This process knows none yet.
    pub fn new(store: Arc<Store>, clock: Clock) -> Self {
        Self { store, known: KnownRevocations::new(MAX_REVOCATIONS), clock }
    }

    /// Returns true if this process knows that a caller's token is revoked.
    pub fn is_known(&self, subject: &Subject, token: &TokenRef) -> bool {
        self.known.is_revoked(subject, token, self.clock.now())
    }

    /// Returns true if a caller's token is revoked, by the revocations known here or by the store. Remembers a
    /// revocation that the store reports.
    pub async fn is_revoked(&self, subject: &Subject, token: TokenRef) -> Result<bool, StoreError> {
        if self.is_known(subject, &token) {
            return Ok(true);
        }
        let revoked = self.store.is_revoked(subject, token.clone()).await?;
        if revoked {
            self.known.add(&token.revocation(subject), self.clock.now());
        }
        Ok(revoked)
    }

    /// Revokes tokens in the store and in this process.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.store.revoke(revocation.clone()).await?;
        self.known.add(&revocation, self.clock.now());
        Ok(())
    }

    /// Remembers a revocation by which the store has refused a request.
    pub fn remember(&self, revocation: &Revocation) {
        self.known.add(revocation, self.clock.now());
    }

    /// Takes over the revocations that were made anywhere since the last call.
    pub async fn follow(&self) -> Result<(), StoreError> {
        self.store.follow_revocations(&self.known).await
    }

    /// Forgets the revocations whose tokens have expired.
    pub fn forget_ended(&self) {
        self.known.forget_ended(self.clock.now());
    }

    /// Returns the number of revocations that this process knows.
    pub fn count_known(&self) -> usize {
        self.known.len()
    }
}
