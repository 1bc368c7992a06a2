//! Tokens that hold no longer. Whether one does is asked in the script that admits a request, and here for the others.

use redis::cmd;

use super::super::StoreFailure;
use super::records::parsed;
use super::{PATIENCE, Redis};
use crate::admission::revocation::{Revocation, TokenMark, Tokens};
use crate::identity::Subject;

/// What was revoked stays revoked, and as long as was said before.
const REVOKE: &str = "
local key, second, until_ms = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local left = math.max(until_ms - time[1] * 1000 - math.floor(time[2] / 1000), redis.call('PTTL', key))
second = math.max(second, tonumber(redis.call('GET', key)) or 0)
if left > 0 then
  redis.call('SET', key, string.format('%.0f', second), 'PX', string.format('%.0f', left))
end
";

impl Redis {
    /// See [`Store::is_revoked`](super::super::Store::is_revoked).
    pub(in super::super) async fn is_revoked(
        &self,
        subject: &Subject,
        token: &TokenMark,
    ) -> Result<bool, StoreFailure> {
        let keys = self.shared.keys(subject);
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
        let keys = self.shared.keys(&revocation.subject);
        let (key, second) = match &revocation.tokens {
            Tokens::Named(name) => (keys.revoked(Some(name)), 0),
            Tokens::IssuedUpTo(second) => (keys.revoked(None), *second),
        };
        let command = cmd("EVAL").arg(REVOKE).arg(1).arg(key).arg(second).arg(revocation.until.get()).take();
        self.shared.link.run(command, PATIENCE).await.map(|_| ())
    }
}
