//! Tokens that hold no longer. Whether one does is asked in the script that admits a request, and here for the others.

use redis::cmd;

use super::super::StoreFailure;
use super::keys::Keys;
use super::records::parsed;
use super::{PATIENCE, Redis};
use crate::admission::revocation::{Revocation, TokenMark, Tokens};
use crate::identity::Subject;

impl Redis {
    /// See [`Store::is_revoked`](super::super::Store::is_revoked).
    pub(in super::super) async fn is_revoked(
        &self,
        subject: &Subject,
        token: &TokenMark,
    ) -> Result<bool, StoreFailure> {
        let keys = Keys::of(subject);
        if self.shared.health.is_part_away(keys.part()) {
            return Err(StoreFailure::Away);
        }
        let mut command = cmd("MGET");
        command.arg(keys.revoked(None));
        if let Some(name) = &token.id {
            command.arg(keys.revoked(Some(name)));
        }
        let said: Vec<Option<u64>> = parsed(self.shared.link.run(command, self.shared.timeout).await?)?;
        let [up_to, named] = [0, 1].map(|at| said.get(at).copied().flatten());
        Ok(named.is_some() || up_to.is_some_and(|second| token.is_up_to(second)))
    }

    /// See [`Store::revoke`](super::super::Store::revoke).
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreFailure> {
        let keys = Keys::of(&revocation.subject);
        let (key, second) = match &revocation.tokens {
            Tokens::Named(name) => (keys.revoked(Some(name)), 0),
            Tokens::IssuedUpTo(second) => (keys.revoked(None), *second),
        };
        let command = cmd("SET").arg(key).arg(second).arg("PXAT").arg(revocation.until.get()).take();
        self.shared.link.run(command, PATIENCE).await.map(|_| ())
    }
}
