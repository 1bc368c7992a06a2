//! Sessions by their makers.

use std::time::Duration;

use redis::{Cmd, cmd};

use super::keys::{SESSIONS, part_of, pattern};
use super::records::parsed;
use super::{PATIENCE, Redis, Shared};
use crate::domain::{Subject, UnixMs};
use crate::limits::Bucket;
use crate::limits::session::{
    LONGEST, PageRequest, Session, SessionDecision, SessionDenial, SessionPage, SessionRequest,
};
use crate::store::StoreError;

impl Redis {
    /// See [`Store::open_session`](crate::store::Store::open_session).
    pub(in crate::store) async fn open_session(&self, request: &SessionRequest) -> Result<SessionDecision, StoreError> {
        let (keys, session) = (self.shared.keys(&request.maker), &request.session);
        let record = serde_json::to_string(session).map_err(StoreError::garbled)?;
        let call = |shared: &Shared| {
            let not_after = shared.health.time_of(keys.part(), PATIENCE).unwrap_or_default();
            // Longer than any session.
            let keep = (LONGEST * 2).as_millis();
            let micros = |of: fn(&Bucket) -> Duration| {
                request.requests.map(|bucket| of(&bucket).as_micros().to_string()).unwrap_or_default()
            };
            let arguments = vec![
                not_after.to_string(),
                session.id.clone(),
                session.expires_at.get().to_string(),
                record,
                keep.to_string(),
                micros(Bucket::weight),
                micros(Bucket::capacity),
                request.max_open.to_string(),
            ];
            (vec![keys.sessions(), keys.session_ends(), keys.rates()], arguments)
        };
        let answer = self.shared.script(&self.shared.sources.open_session, &keys, PATIENCE, call).await?;
        let (denial, wait, _now, ahead): (String, u64, u64, u64) = parsed(answer)?;
        let denial = match denial.as_str() {
            "" => None,
            "requests" => Some(SessionDenial::Requests { wait: Duration::from_micros(wait) }),
            "open" => Some(SessionDenial::MaxOpen),
            other => return Err(StoreError::Garbled(format!("the denial {other:?} of a session"))),
        };
        Ok(SessionDecision { denial, standing: Duration::from_micros(ahead) })
    }

    /// See [`Store::sessions`](crate::store::Store::sessions).
    pub(in crate::store) async fn sessions(
        &self,
        maker: &Subject,
        page: &PageRequest,
    ) -> Result<SessionPage, StoreError> {
        let keys = self.shared.keys(maker);
        let mut sessions: Vec<Session> = Vec::new();
        let mut after = page.after.clone();
        loop {
            // Read one more than requested, to see whether more follow.
            let wanted = page.limit.saturating_add(1).saturating_sub(sessions.len());
            let from = after.map_or_else(|| "-".to_owned(), |id| format!("[{id}!"));
            let call = |_: &Shared| (vec![keys.sessions(), keys.session_ends()], vec![from, wanted.to_string()]);
            let answer = self.shared.script(&self.shared.sources.list_sessions, &keys, PATIENCE, call).await?;
            let (now, members): (u64, Vec<String>) = parsed(answer)?;
            let read = members.iter().map(|member| record(member)).collect::<Result<Vec<_>, _>>()?;
            after = read.last().map(|session| session.id.clone());
            let is_last = read.len() < wanted;
            sessions.extend(read.into_iter().filter(|session| session.expires_at > UnixMs::new(now)));
            if is_last || sessions.len() > page.limit {
                return Ok(SessionPage::of(sessions, page.limit));
            }
        }
    }

    /// See [`Store::session`](crate::store::Store::session).
    pub(in crate::store) async fn session_of(&self, maker: &Subject, id: &str) -> Result<Option<Session>, StoreError> {
        let keys = self.shared.keys(maker);
        if self.shared.health.is_part_away(keys.part()) {
            return Err(StoreError::Away);
        }
        self.find(&keys.sessions(), id).await
    }

    /// Returns the session of this id, of any maker, unless it has ended. Scans all keys: for an operator.
    pub(in crate::store) async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        for key in self.shared.link.scan(&pattern(self.shared.namespace, SESSIONS)).await? {
            if let Some(found) = self.find(&key, id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// See [`Store::forget_session`](crate::store::Store::forget_session).
    pub(in crate::store) async fn forget_session(&self, maker: &Subject, id: &str) -> Result<(), StoreError> {
        let keys = self.shared.keys(maker);
        let call = |_: &Shared| (vec![keys.sessions(), keys.session_ends()], vec![id.to_owned()]);
        self.shared.script(&self.shared.sources.forget_session, &keys, PATIENCE, call).await.map(|_| ())
    }

    /// Returns the session of this id in the list at `key`, unless it has ended.
    async fn find(&self, key: &str, id: &str) -> Result<Option<Session>, StoreError> {
        let members: Vec<String> = parsed(self.shared.link.run(member_of(key, id), PATIENCE).await?)?;
        let Some(member) = members.first() else { return Ok(None) };
        let now = self.shared.time(part_of(key));
        // Compare the whole id: a made-up id may match another session's id and a part of its record.
        Ok(Some(record(member)?).filter(|session| session.id == id && session.expires_at > now))
    }
}

/// Returns the command that reads the member of one id from the list at `key`.
fn member_of(key: &str, id: &str) -> Cmd {
    let (from, to) = (format!("[{id} "), format!("({id}!"));
    cmd("ZRANGE").arg(key).arg(from).arg(to).arg("BYLEX").arg("LIMIT").arg(0).arg(1).take()
}

/// Parses the session in a member of a list: `<id> <JSON>`.
fn record(member: &str) -> Result<Session, StoreError> {
    let (_, json) = member.split_once(' ').unwrap_or_default();
    serde_json::from_str(json).map_err(StoreError::garbled)
}
