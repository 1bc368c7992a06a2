//! Tokens that hold no longer. Whether one does is asked in the script that admits a request, and here for the others.
//!
//! Each revocation has a key beside its caller's others, and is told to all in a log. Gateways follow the log, so that they
//! know what is revoked while Redis is away. What it has forgotten, after a flush or a restart without persistence, the
//! gateways that have heard of it write there again.

use std::collections::HashSet;
use std::sync::PoisonError;

use redis::{Cmd, cmd};

use super::keys::{part_of, revocations};
use super::records::parsed;
use super::{PATIENCE, Redis};
use crate::domain::Subject;
use crate::domain::UnixMs;
use crate::identity::known_revocations::{KnownRevocations, MAX_REVOCATIONS};
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::store::StoreError;

/// How many revocations are read at once.
const PAGE: usize = 1000;
/// Nothing of the log has been read.
const BEGINNING: &str = "0";

/// How far the log was read.
#[derive(Debug)]
pub(super) struct Followed {
    /// The last entry that was.
    last: String,
}

impl Default for Followed {
    fn default() -> Self {
        Self { last: BEGINNING.to_owned() }
    }
}

/// One page of the log: whether the last entry that was read is still there, and those after it.
type Page = (u8, Vec<(String, Vec<String>)>);

impl Redis {
    /// See [`Store::is_revoked`](crate::store::Store::is_revoked).
    pub(in crate::store) async fn is_revoked(&self, subject: &Subject, token: &TokenRef) -> Result<bool, StoreError> {
        let keys = self.shared.keys(subject);
        if self.shared.health.is_part_away(keys.part()) {
            return Err(StoreError::Away);
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

    /// See [`Store::revoke`](crate::store::Store::revoke).
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let keys = self.shared.keys(&revocation.subject);
        let (key, second) = match &revocation.tokens {
            RevokedTokens::Named(name) => (keys.revoked(Some(name)), 0),
            RevokedTokens::IssuedUpTo(second) => (keys.revoked(None), *second),
        };
        let arguments = [second, revocation.until.get()];
        let command = script(include_str!("revoke.lua"), &key).arg(&arguments).take();
        self.shared.link.run(command, PATIENCE).await?;
        if let Err(failure) =
            self.shared.link.run(entry(&revocations(self.shared.namespace), revocation), PATIENCE).await
        {
            // It holds: this part of a cluster is only for gateways that are to know it without Redis.
            tracing::warn!(%failure, "a revocation could not be told to the gateways; they hear of it when it is used");
        }
        Ok(())
    }

    /// See [`Store::follow_revocations`](crate::store::Store::follow_revocations).
    pub(in crate::store) async fn follow_revocations(&self, known: &KnownRevocations) -> Result<(), StoreError> {
        let log = revocations(self.shared.namespace);
        if self.shared.health.is_part_away(part_of(&log)) {
            return Err(StoreError::Away);
        }
        let mut last = self.shared.followed.lock().unwrap_or_else(PoisonError::into_inner).last.clone();
        let mut from_beginning = last == BEGINNING;
        let mut listed = HashSet::new();
        loop {
            let command = script(include_str!("follow.lua"), &log).arg(&last).arg(PAGE).take();
            let (is_there, page): Page = parsed(self.shared.link.run(command, PATIENCE).await?)?;
            if is_there == 0 {
                // All of it again, and then what is missing.
                BEGINNING.clone_into(&mut last);
                from_beginning = true;
                listed.clear();
                continue;
            }
            let now = self.shared.clock.now();
            for (id, fields) in &page {
                if let Some(revocation) = revocation(fields) {
                    known.add(&revocation, now);
                    if from_beginning {
                        listed.insert((revocation.subject, revocation.tokens));
                    }
                } else {
                    tracing::warn!(id, "an entry of the log of revocations makes no sense");
                }
                last.clone_from(id);
            }
            if page.len() < PAGE {
                break;
            }
        }
        if from_beginning {
            for revocation in known.all() {
                let key = (revocation.subject.clone(), revocation.tokens.clone());
                if !listed.contains(&key) {
                    self.revoke(&revocation).await?;
                }
            }
        }
        self.shared.followed.lock().unwrap_or_else(PoisonError::into_inner).last = last;
        Ok(())
    }
}

fn script(text: &str, key: &str) -> Cmd {
    cmd("EVAL").arg(text).arg(1).arg(key).take()
}

/// Tells a revocation to those who follow `log`.
fn entry(log: &str, revocation: &Revocation) -> Cmd {
    let (token, up_to) = revocation.tokens.parts();
    let mut command = cmd("XADD");
    command.arg(log).arg("MAXLEN").arg("~").arg(MAX_REVOCATIONS).arg("*");
    command.arg("subject").arg(revocation.subject.as_str()).arg("token").arg(token);
    command.arg("up_to").arg(up_to).arg("until").arg(revocation.until.get());
    command
}

/// What an entry says. Fields that are not known are of a later version.
fn revocation(fields: &[String]) -> Option<Revocation> {
    let field = |name: &str| {
        let mut pairs = fields.chunks_exact(2).filter_map(|pair| pair.first().zip(pair.get(1)));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    Some(Revocation {
        subject: field("subject")?.parse().ok()?,
        tokens: RevokedTokens::from_parts(field("token")?.clone(), field("up_to")?.parse().ok()?),
        until: UnixMs::new(field("until")?.parse().ok()?),
    })
}
