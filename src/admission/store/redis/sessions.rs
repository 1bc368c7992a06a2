//! Sessions by who opened them.

use redis::{Cmd, Value, cmd};

use super::super::StoreFailure;
use super::keys::{Keys, SESSIONS, part_of, pattern};
use super::records::parsed;
use super::{PATIENCE, Redis, Shared};
use crate::admission::session::{LONGEST, Session};
use crate::identity::Subject;

impl Redis {
    /// See [`Store::open_session`](super::super::Store::open_session).
    pub(in super::super) async fn open_session(
        &self,
        creator: &Subject,
        session: &Session,
    ) -> Result<(), StoreFailure> {
        let (keys, record) = (self.shared.keys(creator), written(session)?);
        let call = |shared: &Shared| {
            let not_after = shared.health.time_of(keys.part(), PATIENCE).unwrap_or_default();
            // Longer than any of them.
            let keep = (LONGEST * 2).as_millis();
            let (not_after, expires_at) = (not_after.to_string(), session.expires_at.get().to_string());
            (vec![keys.sessions()], vec![not_after, expires_at, record, keep.to_string()])
        };
        self.shared.script(&self.shared.sources.open_session, &keys, PATIENCE, call).await.map(|_| ())
    }

    /// See [`Store::sessions`](super::super::Store::sessions).
    pub(in super::super) async fn sessions(&self, creator: &Subject) -> Result<Vec<Session>, StoreFailure> {
        let keys = self.shared.keys(creator);
        let now = format!("({}", self.shared.time(keys.part()).get());
        let command = cmd("ZRANGEBYSCORE").arg(keys.sessions()).arg(now).arg("+inf").take();
        let records: Vec<String> = parsed(self.told(&keys, command).await?)?;
        records.iter().map(|record| serde_json::from_str(record).map_err(StoreFailure::garbled)).collect()
    }

    /// The session of this id that has not ended, whoever opened it. It looks at all keys: for an operator.
    pub(in super::super) async fn session(&self, id: &str) -> Result<Option<Session>, StoreFailure> {
        for key in self.shared.link.scan(&pattern(self.shared.namespace, SESSIONS)).await? {
            let now = format!("({}", self.shared.time(part_of(&key)).get());
            let command = cmd("ZRANGEBYSCORE").arg(&key).arg(now).arg("+inf").take();
            let records: Vec<String> = parsed(self.shared.link.run(command, PATIENCE).await?)?;
            let sessions = records.iter().map(|record| serde_json::from_str::<Session>(record));
            if let Some(found) = sessions.filter_map(Result::ok).find(|session| session.id == id) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// See [`Store::forget_session`](super::super::Store::forget_session).
    pub(in super::super) async fn forget_session(
        &self,
        creator: &Subject,
        session: &Session,
    ) -> Result<(), StoreFailure> {
        let (keys, record) = (self.shared.keys(creator), written(session)?);
        self.told(&keys, cmd("ZREM").arg(keys.sessions()).arg(record).take()).await.map(|_| ())
    }

    async fn told(&self, keys: &Keys, command: Cmd) -> Result<Value, StoreFailure> {
        if self.shared.health.is_part_away(keys.part()) {
            return Err(StoreFailure::Away);
        }
        self.shared.link.run(command, PATIENCE).await
    }
}

fn written(session: &Session) -> Result<String, StoreFailure> {
    serde_json::to_string(session).map_err(StoreFailure::garbled)
}
