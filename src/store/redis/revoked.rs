//! Revoked tokens. The script that admits a request checks its token; this module checks those of other requests.
//!
//! Each revocation has a key beside the caller's other keys, and an entry in a log. Gateways follow the log, so that
//! they know the revocations while Redis is away. If Redis loses revocations in a flush or a restart without
//! persistence, the gateways that know them write them again.

use std::collections::HashSet;
use std::sync::PoisonError;

use redis::{Cmd, cmd};
use serde::Serialize;

use super::keys::{revocations, shard_of};
use super::log_position::LogPosition;
use super::records::parsed;
use super::scripts::{Call, Operand};
use super::shared::BACKGROUND_TIMEOUT;
use super::store::Redis;
use crate::domain::{Subject, UnixMs};
use crate::identity::known_revocations::{KnownRevocations, MAX_REVOCATIONS};
use crate::identity::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::store::StoreError;

/// The number of revocations per read.
const PAGE_SIZE: u16 = 1000;
/// The arguments of `revoke.lua`.
#[derive(Serialize)]
struct RevokeArguments {
    /// The last second of issue that the revocation covers; 0 for one token.
    up_to: u64,
    until_ms: u64,
}

/// The arguments of `follow.lua`.
#[derive(Serialize)]
struct FollowArguments<'a> {
    /// The last entry that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<&'a str>,
    count: Operand,
}

/// A page of the log: 1 if the last entry that was read is still there, and the entries after it.
type Page = (u8, Vec<(String, Vec<String>)>);

impl Redis {
    /// See [`Store::is_revoked`](crate::store::Store::is_revoked).
    pub(in crate::store) async fn is_revoked(&self, subject: &Subject, token: &TokenRef) -> Result<bool, StoreError> {
        let keys = self.shared.keys(subject);
        if self.shared.health.is_shard_down(keys.shard()) {
            return Err(StoreError::Unavailable);
        }
        let mut command = cmd("MGET");
        command.arg(keys.revoked(None));
        if let Some(name) = &token.id {
            command.arg(keys.revoked(Some(name)));
        }
        let answer: Vec<Option<u64>> = parsed(self.shared.connections.run(command, self.shared.timeout).await?)?;
        let [up_to, named] = [0, 1].map(|at| answer.get(at).copied().flatten());
        Ok(named.is_some() || up_to.is_some_and(|second| token.is_up_to(second)))
    }

    /// See [`Store::revoke`](crate::store::Store::revoke).
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let keys = self.shared.keys(&revocation.subject);
        let (key, up_to) = match &revocation.tokens {
            RevokedTokens::Named(name) => (keys.revoked(Some(name)), 0),
            RevokedTokens::IssuedUpTo(second) => (keys.revoked(None), *second),
        };
        let call = Call::new(vec![key], &RevokeArguments { up_to, until_ms: revocation.until.get() });
        self.shared.connections.script(&self.shared.scripts.revoke, call, BACKGROUND_TIMEOUT).await?;
        if let Err(failure) = self
            .shared
            .connections
            .run(entry(&revocations(self.shared.namespace), revocation), BACKGROUND_TIMEOUT)
            .await
        {
            // The revocation holds in any case: this shard of a cluster only informs gateways that are to know it
            // without Redis.
            tracing::warn!(%failure, "a revocation could not be passed to the gateways; they learn of it when it is used");
        }
        Ok(())
    }

    /// See [`Store::follow_revocations`](crate::store::Store::follow_revocations).
    pub(in crate::store) async fn follow_revocations(&self, known: &KnownRevocations) -> Result<(), StoreError> {
        let log = revocations(self.shared.namespace);
        if self.shared.health.is_shard_down(shard_of(&log)) {
            return Err(StoreError::Unavailable);
        }
        let LogPosition(mut last) = self.shared.log_position.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut from_beginning = last.is_none();
        let mut listed = HashSet::new();
        loop {
            let arguments = FollowArguments { last: last.as_deref(), count: Operand::new(PAGE_SIZE) };
            let call = Call::new(vec![log.clone()], &arguments);
            let answer = self.shared.connections.script(&self.shared.scripts.follow, call, BACKGROUND_TIMEOUT).await?;
            let (is_there, page): Page = parsed(answer)?;
            if is_there == 0 {
                // Read the whole log again, and then write the missing revocations.
                last = None;
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
                last = Some(id.clone());
            }
            if page.len() < usize::from(PAGE_SIZE) {
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
        *self.shared.log_position.lock().unwrap_or_else(PoisonError::into_inner) = LogPosition(last);
        Ok(())
    }
}

/// Returns the command that adds a revocation to `log`.
fn entry(log: &str, revocation: &Revocation) -> Cmd {
    let (token, up_to) = revocation.tokens.parts();
    let mut command = cmd("XADD");
    command.arg(log).arg("MAXLEN").arg("~").arg(MAX_REVOCATIONS).arg("*");
    command.arg("subject").arg(revocation.subject.as_str()).arg("token").arg(token);
    command.arg("up_to").arg(up_to).arg("until").arg(revocation.until.get());
    command
}

/// Parses an entry. Unknown fields are of a later version.
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
