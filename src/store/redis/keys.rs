//! The names of keys, such as `voxgate:{0a3}:alice:rates`; for a gateway that serves from its sandbox alone,
//! `voxgate:sandbox:{0a3}:alice:rates`.
//!
//! A caller's keys share the hash tag in braces, so that one script may touch them on one node of a cluster. Some
//! thousands of tags are shared by all callers, since a stream of records is some kilobytes even when it is nearly empty:
//! those of one tag write to one.

use crate::config::Namespace;
use crate::domain::Month;
use crate::domain::Subject;

/// How many tags there are. Never to be changed: callers would begin anew.
const TAGS: u16 = 4096;
/// How many parts the callers of a cluster are divided into, each on one node as a rule.
pub(super) const PARTS: usize = 64;
const SLOTS: u16 = 16_384;
/// How the names of the keys with lists of sessions end.
pub(super) const SESSIONS: &str = "open-sessions";

/// STREAM of the revocations that were made, for gateways to follow: `subject`, `token` (`""`: all), `up_to` in seconds since
/// 1970, `until` in ms since 1970.
pub(super) fn revocations(namespace: Namespace) -> String {
    format!("{}:{{revocations}}:log", namespace.key_prefix())
}

/// The keys of one caller.
#[derive(Debug)]
pub(super) struct Keys {
    /// `voxgate:{0a3}`
    tag: String,
    /// `voxgate:{0a3}:alice`
    caller: String,
}

impl Keys {
    pub(super) fn of(namespace: Namespace, subject: &Subject) -> Self {
        let tag = format!("{}:{{{:03x}}}", namespace.key_prefix(), crc(subject.as_str()) % TAGS);
        Self { caller: format!("{tag}:{subject}"), tag }
    }

    /// HASH `requests`, `audio`: when the bucket will be full, `seen`: when that was written, in µs since 1970.
    pub(super) fn rates(&self) -> String {
        format!("{}:rates", self.caller)
    }

    /// ZSET of permits by the end of their leases, in ms since 1970.
    pub(super) fn leases(&self) -> String {
        format!("{}:leases", self.caller)
    }

    /// HASH of permits that are not settled: `<admitted at> <record>`.
    pub(super) fn open(&self) -> String {
        format!("{}:open", self.caller)
    }

    /// HASH of what a month is charged, and what of it is settled by day and by model.
    pub(super) fn month(&self, month: Month) -> String {
        format!("{}:{month}", self.caller)
    }

    /// STRING: up to which second tokens hold no longer; or where one is named, that this one does not. Each ends by
    /// itself. What a token is called does not come last, where it could be taken for something else.
    pub(super) fn revoked(&self, token: Option<&str>) -> String {
        match token {
            None => format!("{}:revoked", self.caller),
            Some(token) => format!("{}:{token}:revoked-token", self.caller),
        }
    }

    /// HASH of what is charged in a session: `usd`, `audio`.
    pub(super) fn session(&self, id: &str) -> String {
        format!("{}:{id}:session", self.caller)
    }

    /// ZSET of the sessions that the caller has opened, by their ids: `<id> <JSON>`, all with the score 0.
    pub(super) fn sessions(&self) -> String {
        format!("{}:{SESSIONS}", self.caller)
    }

    /// ZSET of the ids of those sessions by when they end, in ms since 1970.
    pub(super) fn session_ends(&self) -> String {
        format!("{}:session-ends", self.caller)
    }

    /// ZSET of permits that are settled or taken back, of every caller with this tag, by when that was done, in ms since 1970.
    pub(super) fn closed(&self) -> String {
        format!("{}:closed", self.tag)
    }

    /// STREAM of the records of every caller with this tag.
    pub(super) fn ledger(&self) -> String {
        format!("{}:ledger", self.tag)
    }

    /// Which part of a cluster the caller is in.
    pub(super) fn part(&self) -> usize {
        part_of(&self.tag)
    }
}

fn crc(text: &str) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(text.as_bytes())
}

/// Which part of a cluster a key belongs to, by its tag.
pub(super) fn part_of(key: &str) -> usize {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(tag, _)| tag);
    usize::from(crc(tag) % SLOTS) / (usize::from(SLOTS) / PARTS)
}

/// A pattern for the keys of every caller that end in `last`.
pub(super) fn pattern(namespace: Namespace, last: &str) -> String {
    format!("{}:{{*}}:*:{last}", namespace.key_prefix())
}

/// Whose key it is.
pub(super) fn subject_of(namespace: Namespace, key: &str) -> Option<Subject> {
    let (_, rest) = key.strip_prefix(namespace.key_prefix())?.strip_prefix(":{")?.split_once("}:")?;
    rest.rsplit_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_part_follows_the_slot_that_redis_computes() {
        // CLUSTER KEYSLOT of "alice" is 749 and of "bob" 8955: parts of 256 slots each.
        assert_eq!(part_of("voxgate:{alice}:probe"), 749 / 256);
        assert_eq!(part_of("voxgate:{bob}:probe"), 8955 / 256);
    }

    proptest! {
        #[test]
        fn a_subject_is_found_again_in_its_keys_and_shares_one_tag(name in "[a-z{}%:\u{e9}*]{1,12}") {
            let subject: Subject = name.parse().unwrap();
            for (own, other) in [
                (Namespace::Production, Namespace::Sandbox),
                (Namespace::Sandbox, Namespace::Production),
            ] {
                let keys = Keys::of(own, &subject);
                let month = keys.month("2026-11".parse().unwrap());
                for key in [keys.rates(), keys.leases(), keys.open(), keys.revoked(None), month] {
                    prop_assert_eq!(subject_of(own, &key), Some(subject.clone()));
                    prop_assert_eq!(subject_of(other, &key), None);
                    prop_assert_eq!(part_of(&key), keys.part());
                }
                for key in [keys.revoked(Some(&name)), keys.session(&name), keys.sessions(), keys.session_ends()] {
                    prop_assert_eq!(part_of(&key), keys.part());
                }
                for key in [keys.ledger(), keys.closed()] {
                    prop_assert_eq!(part_of(&key), keys.part());
                    prop_assert_eq!(subject_of(own, &key), None);
                }
            }
        }
    }
}
