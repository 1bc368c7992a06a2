//! Sessions by their makers.

use std::time::Duration;

use redis::{Cmd, cmd};
use serde::Serialize;

use super::keys::{SESSIONS, pattern, shard_of};
use super::months::{ms, us};
use super::records::parsed;
use super::scripts::{Call, Operand};
use super::shared::{BACKGROUND_TIMEOUT, Shared};
use super::store::Redis;
use crate::domain::{Subject, UnixMs};
use crate::limits::session::{
    MAX_DURATION, PageRequest, Session, SessionDecision, SessionDenial, SessionPage, SessionRequest,
};
use crate::store::StoreError;

/// The arguments of `open_session.lua`.
#[derive(Serialize)]
struct OpenArguments<'a> {
    /// The time, in µs, after which the gateway no longer waits for the answer; `None` while Redis's clock is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
    id: &'a str,
    /// In ms.
    expires_at: Operand,
    record: String,
    /// In ms.
    keep: Operand,
    /// In µs; `None` is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u64>,
    max_open: u32,
}

/// The arguments of `list_sessions.lua`.
#[derive(Serialize)]
struct ListArguments<'a> {
    /// The beginning of the page, as `ZRANGE … BYLEX` takes it.
    from: &'a str,
    count: Operand,
}

/// The arguments of `forget_session.lua`.
#[derive(Serialize)]
struct ForgetArguments<'a> {
    id: &'a str,
}

impl Redis {
    /// See [`Store::open_session`](crate::store::Store::open_session).
    pub(in crate::store) async fn open_session(&self, request: &SessionRequest) -> Result<SessionDecision, StoreError> {
        let (keys, session) = (self.shared.keys(&request.maker), &request.session);
        let record = serde_json::to_string(session).map_err(StoreError::corrupt)?;
        let call = |shared: &Shared| {
            let arguments = OpenArguments {
                not_after: shared.health.time_of(keys.shard(), BACKGROUND_TIMEOUT),
                id: &session.id,
                expires_at: Operand::new(session.expires_at.get()),
                record,
                // Longer than any session.
                keep: Operand::new(ms(MAX_DURATION * 2)),
                weight: request.requests.map(|bucket| us(bucket.weight())),
                capacity: request.requests.map(|bucket| us(bucket.capacity())),
                max_open: request.max_open.get(),
            };
            Call::new(vec![keys.sessions(), keys.session_ends(), keys.rates()], &arguments)
        };
        let answer = self.shared.script(&self.shared.scripts.open_session, &keys, BACKGROUND_TIMEOUT, call).await?;
        let (denial, wait, _now, ahead): (String, u64, u64, u64) = parsed(answer)?;
        let denial = match denial.as_str() {
            "" => None,
            name => {
                let denial = SessionDenial::parse(name, Duration::from_micros(wait));
                Some(denial.ok_or_else(|| StoreError::Corrupt(format!("the denial {name:?} of a session")))?)
            }
        };
        Ok(SessionDecision { denial, reset: Duration::from_micros(ahead) })
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
            let call = |_: &Shared| {
                let count = Operand::new(i64::try_from(wanted).unwrap_or(i64::MAX));
                Call::new(vec![keys.sessions(), keys.session_ends()], &ListArguments { from: &from, count })
            };
            let answer =
                self.shared.script(&self.shared.scripts.list_sessions, &keys, BACKGROUND_TIMEOUT, call).await?;
            let (now, members): (u64, Vec<String>) = parsed(answer)?;
            let read = members.iter().map(|member| record(member)).collect::<Result<Vec<_>, _>>()?;
            after = read.last().map(|session| session.id.clone());
            let is_last = read.len() < wanted;
            sessions.extend(read.into_iter().filter(|session| session.expires_at > UnixMs::new(now)));
            if is_last || sessions.len() > page.limit {
                return Ok(SessionPage::from_read(sessions, page.limit));
            }
        }
    }

    /// See [`Store::session`](crate::store::Store::session).
    pub(in crate::store) async fn session_of(&self, maker: &Subject, id: &str) -> Result<Option<Session>, StoreError> {
        let keys = self.shared.keys(maker);
        if self.shared.health.is_shard_down(keys.shard()) {
            return Err(StoreError::Unavailable);
        }
        self.find(&keys.sessions(), id).await
    }

    /// Returns the session of this id, of any maker, unless it has ended. Scans all keys: for an operator.
    pub(in crate::store) async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        for key in self.shared.connections.scan(&pattern(self.shared.namespace, SESSIONS)).await? {
            if let Some(found) = self.find(&key, id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// See [`Store::forget_session`](crate::store::Store::forget_session).
    pub(in crate::store) async fn forget_session(&self, maker: &Subject, id: &str) -> Result<(), StoreError> {
        let keys = self.shared.keys(maker);
        let call = |_: &Shared| Call::new(vec![keys.sessions(), keys.session_ends()], &ForgetArguments { id });
        self.shared.script(&self.shared.scripts.forget_session, &keys, BACKGROUND_TIMEOUT, call).await.map(|_| ())
    }

    /// Returns the session of this id in the list at `key`, unless it has ended.
    async fn find(&self, key: &str, id: &str) -> Result<Option<Session>, StoreError> {
        let members: Vec<String> = parsed(self.shared.connections.run(member_of(key, id), BACKGROUND_TIMEOUT).await?)?;
        let Some(member) = members.first() else { return Ok(None) };
        let now = self.shared.time(shard_of(key));
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
    serde_json::from_str(json).map_err(StoreError::corrupt)
}
