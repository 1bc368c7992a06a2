//! Revoked tokens and sessions: their makers, and the charges of sessions with caps.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Database;
use super::rows::{Result, counted, number, parsed, unreadable};
use super::writer::Writer;
use crate::domain::{AudioMs, NanoUsd, Subject, UnixMs};
use crate::identity::known_revocations::MAX_REVOCATIONS;
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::ledger::Charge;
use crate::limits::session::{PageRequest, Session, SessionDenial, SessionPage, SessionRequest};

/// A digest that shows new revocations: their number, and the sums of their fields.
pub(in crate::store::embedded) type RevocationSum = (i64, i64, i64);

impl Database {
    /// See [`Writer::is_revoked`].
    pub(in crate::store::embedded) fn is_revoked(
        &self,
        subject: &Subject,
        token: &TokenRef,
        now: UnixMs,
    ) -> Result<bool> {
        is_revoked(&self.0, subject, token, now)
    }

    /// Returns the current revocations, unless their sum is still `seen`.
    pub(in crate::store::embedded) fn revocations(
        &self,
        seen: Option<RevocationSum>,
        now: UnixMs,
    ) -> Result<Option<(RevocationSum, Vec<Revocation>)>> {
        let mut query = self.0.prepare_cached(include_str!("../sql/revocation_sum.sql"))?;
        let sum = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if seen == Some(sum) {
            return Ok(None);
        }
        let mut query = self.0.prepare_cached(include_str!("../sql/revocations_that_hold.sql"))?;
        let revocation = |row: &Row<'_>| {
            Ok(Revocation {
                subject: parsed(row, 0)?,
                tokens: RevokedTokens::from_parts(row.get(1)?, counted(row, 2)?),
                until: UnixMs::new(counted(row, 3)?),
            })
        };
        let max = number(u64::try_from(MAX_REVOCATIONS).unwrap_or(u64::MAX));
        let revocations = query.query_map([number(now.get()), max], revocation)?.collect::<Result<_>>()?;
        Ok(Some((sum, revocations)))
    }

    /// Returns a page of a maker's sessions that have not ended.
    pub(in crate::store::embedded) fn sessions(
        &self,
        maker: &Subject,
        page: &PageRequest,
        now: UnixMs,
    ) -> Result<SessionPage> {
        let mut query = self.0.prepare_cached(include_str!("../sql/session_page.sql"))?;
        // Read one more than requested, to see whether more follow.
        let count = number(u64::try_from(page.limit).unwrap_or(u64::MAX)).saturating_add(1);
        let after = page.after.as_deref().unwrap_or_default();
        let read = query.query_map(params![maker.as_str(), after, number(now.get()), count], session)?;
        Ok(SessionPage::from_read(read.collect::<Result<_>>()?, page.limit))
    }

    /// Returns a maker's session, unless it has ended.
    pub(in crate::store::embedded) fn session_of(
        &self,
        maker: &Subject,
        id: &str,
        now: UnixMs,
    ) -> Result<Option<Session>> {
        let statement = "SELECT record FROM sessions WHERE creator = ?1 AND id = ?2 AND until > ?3";
        let mut query = self.0.prepare_cached(statement)?;
        query.query_row(params![maker.as_str(), id, number(now.get())], session).optional()
    }

    /// Returns the session of this id, of any maker, unless it has ended.
    pub(in crate::store::embedded) fn session(&self, id: &str, now: UnixMs) -> Result<Option<Session>> {
        // A file of an earlier version has no such table, and no sessions.
        if !self.0.table_exists(None, "sessions")? {
            return Ok(None);
        }
        let mut query = self.0.prepare_cached("SELECT record FROM sessions WHERE id = ?1 AND until > ?2")?;
        query.query_row(params![id, number(now.get())], session).optional()
    }
}

impl Writer<'_> {
    /// Returns true if a token is revoked.
    pub(in crate::store::embedded) fn is_revoked(
        &self,
        subject: &Subject,
        token: &TokenRef,
        now: UnixMs,
    ) -> Result<bool> {
        is_revoked(&self.0, subject, token, now)
    }

    /// Revokes tokens.
    pub(in crate::store::embedded) fn revoke(&self, revocation: &Revocation) -> Result<()> {
        let (token, up_to) = revocation.tokens.parts();
        let mut query = self.0.prepare_cached(include_str!("../sql/revoke.sql"))?;
        let until = number(revocation.until.get());
        query.execute(params![revocation.subject.as_str(), token, number(up_to), until])?;
        Ok(())
    }

    /// Deletes revocations of tokens that have expired, and sessions that have ended.
    pub(in crate::store::embedded) fn forget_ended(&self, now: UnixMs) -> Result<()> {
        for table in ["revocations", "sessions", "session_charges"] {
            let statement = format!("DELETE FROM {table} WHERE until <= ?1");
            self.0.prepare_cached(&statement)?.execute([number(now.get())])?;
        }
        Ok(())
    }

    /// Opens a session, unless its maker has the maximum number open.
    pub(in crate::store::embedded) fn open_session(
        &self,
        request: &SessionRequest,
        now: UnixMs,
    ) -> Result<Option<SessionDenial>> {
        let SessionRequest { maker, session, max_open, .. } = request;
        if self.session_count(maker)? >= u64::from(max_open.get()) {
            // Delete ended sessions first, since the table counts them too.
            let mut clear = self.0.prepare_cached("DELETE FROM sessions WHERE creator = ?1 AND until <= ?2")?;
            clear.execute(params![maker.as_str(), number(now.get())])?;
            if self.session_count(maker)? >= u64::from(max_open.get()) {
                return Ok(Some(SessionDenial::MaxOpen));
            }
        }
        let record = serde_json::to_string(session).map_err(|error| unreadable(error.to_string()))?;
        let until = number(session.expires_at.get());
        // Not REPLACE, which would run no trigger for the replaced entry.
        let statement = "INSERT INTO sessions (creator, id, record, until) VALUES (?1, ?2, ?3, ?4) \
                         ON CONFLICT (creator, id) DO UPDATE SET record = excluded.record, until = excluded.until";
        let mut query = self.0.prepare_cached(statement)?;
        query.execute(params![maker.as_str(), session.id, record, until])?;
        Ok(None)
    }

    /// Returns the number of a maker's sessions in the table, ended ones included.
    fn session_count(&self, maker: &Subject) -> Result<u64> {
        let mut query = self.0.prepare_cached("SELECT count FROM session_counts WHERE creator = ?1")?;
        Ok(query.query_row([maker.as_str()], |row| counted(row, 0)).optional()?.unwrap_or_default())
    }

    /// Removes a session from the list.
    pub(in crate::store::embedded) fn forget_session(&self, creator: &Subject, id: &str) -> Result<()> {
        let mut query = self.0.prepare_cached("DELETE FROM sessions WHERE creator = ?1 AND id = ?2")?;
        query.execute([creator.as_str(), id])?;
        Ok(())
    }

    /// Returns the charges of a session.
    pub(in crate::store::embedded) fn spent_in(&self, subject: &Subject, session: &str) -> Result<Charge> {
        let statement = "SELECT usd, audio FROM session_charges WHERE subject = ?1 AND session = ?2";
        let charge =
            |row: &Row<'_>| Ok(Charge { usd: NanoUsd::new(counted(row, 0)?), audio: AudioMs::new(counted(row, 1)?) });
        let mut query = self.0.prepare_cached(statement)?;
        Ok(query.query_row([subject.as_str(), session], charge).optional()?.unwrap_or_default())
    }

    /// Replaces the charge `instead_of` of a session by `charge`; without `until`, only if the session has charges.
    pub(in crate::store::embedded) fn charge_session(
        &self,
        subject: &Subject,
        session: &str,
        charge: Charge,
        instead_of: Charge,
        until: Option<UnixMs>,
    ) -> Result<()> {
        let difference = |new: u64, old: u64| number(new) - number(old);
        self.0.prepare_cached(include_str!("../sql/charge_session.sql"))?.execute(params![
            subject.as_str(),
            session,
            difference(charge.usd.get(), instead_of.usd.get()),
            difference(charge.audio.get(), instead_of.audio.get()),
            until.map(|until| number(until.get())),
        ])?;
        Ok(())
    }
}

/// Reads the session in the first column, which is JSON.
fn session(row: &Row<'_>) -> Result<Session> {
    let text: String = row.get(0)?;
    serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))
}

fn is_revoked(connection: &Connection, subject: &Subject, token: &TokenRef, now: UnixMs) -> Result<bool> {
    let name = token.id.as_deref().unwrap_or_default();
    let mut query = connection.prepare_cached(include_str!("../sql/revoked.sql"))?;
    let mut rows = query.query(params![subject.as_str(), name, number(now.get())])?;
    while let Some(row) = rows.next()? {
        let of_all = row.get::<_, String>(0)?.is_empty();
        if !of_all || token.is_up_to(counted(row, 1)?) {
            return Ok(true);
        }
    }
    Ok(false)
}
