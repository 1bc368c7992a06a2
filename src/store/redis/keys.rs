//! The names of keys, such as `voxgate:{0a3}:alice:rates`; for a gateway that serves from its sandbox alone,
//! `voxgate:sandbox:{0a3}:alice:rates`.
//!
//! A caller's keys share the hash tag in braces, so that one script may touch them on one node of a cluster. All
//! callers share some thousands of tags, and the callers of a tag share one stream of records, since even a nearly
//! empty stream takes some kilobytes.

use super::months::MonthsAround;
use crate::config::Namespace;
use crate::domain::{Month, Subject};
use crate::identity::revocation::TokenRef;

/// The number of tags. A change would make every caller start with empty limits, so it must never change.
const TAGS: u16 = 4096;
/// The number of shards into which the callers of a cluster are divided, each usually on one node.
pub(super) const SHARDS: usize = 64;
const SLOTS: u16 = 16_384;
/// The longest part of a request id in the name of a key.
const MAX_REQUEST_ID: usize = 64;
/// The ending of the names of the keys with lists of sessions.
pub(super) const SESSIONS: &str = "open-sessions";

/// Returns the key of the STREAM of revocations, which gateways follow: `subject`, `token` (`""`: all), `up_to` in
/// seconds since 1970, `until` in ms since 1970.
pub(super) fn revocations(namespace: Namespace) -> String {
    format!("{}:{{revocations}}:log", namespace.key_prefix())
}

/// A tag, and the keys that all callers of the tag share.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    /// `voxgate:{0a3}`
    name: String,
}

impl Tag {
    fn new(namespace: Namespace, number: u16) -> Self {
        Self { name: format!("{}:{{{:03x}}}", namespace.key_prefix(), number % TAGS) }
    }

    /// Returns every tag.
    pub(super) fn all(namespace: Namespace) -> impl Iterator<Item = Self> {
        (0..TAGS).map(move |number| Self::new(namespace, number))
    }

    /// Returns the key of the ZSET of permits that are settled or taken back, by the time of the settlement, in ms since
    /// 1970.
    pub(super) fn closed(&self) -> String {
        format!("{}:closed", self.name)
    }

    /// Returns the key of the STREAM of records.
    pub(super) fn ledger(&self) -> String {
        format!("{}:ledger", self.name)
    }

    /// Returns the key of the HASH of what is settled of a month, by day and by model. The month is not the last part of
    /// the key, where it would look like a caller's month.
    pub(super) fn totals(&self, month: Month) -> String {
        format!("{}:{month}:totals", self.name)
    }

    /// Returns the key of the ZSET of callers by what is settled of their spending in a month, in billionths of a dollar.
    pub(super) fn callers(&self, month: Month) -> String {
        format!("{}:{month}:callers", self.name)
    }
}

/// The keys of one caller.
#[derive(Debug)]
pub(super) struct Keys {
    tag: Tag,
    /// `voxgate:{0a3}:alice`
    caller: String,
}

impl Keys {
    pub(super) fn of(namespace: Namespace, subject: &Subject) -> Self {
        let tag = Tag::new(namespace, crc(subject.as_str()));
        Self { caller: format!("{}:{subject}", tag.name), tag }
    }

    /// Returns the key of the HASH of rates: `requests`, `audio`: the time at which the bucket will be full, `seen`:
    /// the time at which that was written, in µs since 1970.
    pub(super) fn rates(&self) -> String {
        format!("{}:rates", self.caller)
    }

    /// Returns the key of the ZSET of permits by the end of their leases, in ms since 1970.
    pub(super) fn leases(&self) -> String {
        format!("{}:leases", self.caller)
    }

    /// Returns the key of the HASH of unsettled permits: `<admitted at> <record>`.
    pub(super) fn open(&self) -> String {
        format!("{}:open", self.caller)
    }

    /// Returns the key of the HASH of a month's charges, and of the settled part of them by day and by model.
    pub(super) fn month(&self, month: Month) -> String {
        format!("{}:{month}", self.caller)
    }

    /// Returns the keys that each script that charges has first, in the order in which the scripts take them.
    pub(super) fn of_charge(&self, months: MonthsAround, token: &TokenRef) -> Vec<String> {
        vec![
            self.rates(),
            self.leases(),
            self.open(),
            self.month(months.earlier),
            self.month(months.later),
            self.revoked(None),
            self.revoked(token.id.as_deref()),
        ]
    }

    /// Returns the key of the STRING of a revocation: the second up to which all tokens are revoked, or the mark of a
    /// single revoked token. Each key expires. The token's id is not the last part of the key, where it could be
    /// mistaken for something else.
    pub(super) fn revoked(&self, token: Option<&str>) -> String {
        match token {
            None => format!("{}:revoked", self.caller),
            Some(token) => format!("{}:{token}:revoked-token", self.caller),
        }
    }

    /// Returns the key of the HASH of a session's charges: `usd`, `audio`.
    pub(super) fn session(&self, id: &str) -> String {
        format!("{}:{id}:session", self.caller)
    }

    /// Returns the key of the ZSET of the caller's open sessions, ordered by id: `<id> <JSON>`, all with the score 0.
    pub(super) fn sessions(&self) -> String {
        format!("{}:{SESSIONS}", self.caller)
    }

    /// Returns the key of the ZSET of the ids of those sessions by the time at which they end, in ms since 1970.
    pub(super) fn session_ends(&self) -> String {
        format!("{}:session-ends", self.caller)
    }

    /// Returns the key of the STRING with the position of a request's record in the ledger. The key expires. The name has
    /// only those characters of the id that occur in the gateway's own ids, and only so many: a reader checks the id in the
    /// record.
    pub(super) fn request(&self, id: &str) -> String {
        let is_plain = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
        let id: String = id.chars().filter(is_plain).take(MAX_REQUEST_ID).collect();
        format!("{}:{id}:request", self.caller)
    }

    /// Returns the caller's tag.
    pub(super) fn tag(&self) -> &Tag {
        &self.tag
    }

    /// Returns the key of the STREAM of the records of every caller with this tag.
    pub(super) fn ledger(&self) -> String {
        self.tag.ledger()
    }

    /// Returns the shard of a cluster in which the caller is.
    pub(super) fn shard(&self) -> usize {
        shard_of(&self.tag.name)
    }
}

fn crc(text: &str) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(text.as_bytes())
}

/// Returns the shard of a cluster to which a key belongs, by its tag.
pub(super) fn shard_of(key: &str) -> usize {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(tag, _)| tag);
    usize::from(crc(tag) % SLOTS) / (usize::from(SLOTS) / SHARDS)
}

/// Returns a pattern for the keys of every caller that end in `last`.
pub(super) fn pattern(namespace: Namespace, last: &str) -> String {
    format!("{}:{{*}}:*:{last}", namespace.key_prefix())
}

/// Returns the caller to which a key belongs.
pub(super) fn subject_of(namespace: Namespace, key: &str) -> Option<Subject> {
    let (_, rest) = key.strip_prefix(namespace.key_prefix())?.strip_prefix(":{")?.split_once("}:")?;
    rest.rsplit_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shard_follows_the_slot_that_redis_computes() {
        // CLUSTER KEYSLOT of "alice" is 749 and of "bob" 8955: shards of 256 slots each.
        assert_eq!(shard_of("voxgate:{alice}:probe"), 749 / 256);
        assert_eq!(shard_of("voxgate:{bob}:probe"), 8955 / 256);
    }

    #[test]
    fn the_name_of_a_request_cannot_be_anothers() {
        let of = |subject: &str, id: &str| Keys::of(Namespace::Production, &subject.parse().unwrap()).request(id);
        assert!(of("alice", "0198-7f").ends_with(":alice:0198-7f:request"));
        assert!(of("alice", "bob:x\u{e9}").ends_with(":alice:bobx:request"));
        assert_eq!(of("alice", &"x".repeat(9000)).len(), of("alice", "").len() + MAX_REQUEST_ID);
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
                    prop_assert_eq!(shard_of(&key), keys.shard());
                }
                let of_names = [keys.revoked(Some(&name)), keys.session(&name), keys.request(&name)];
                for key in of_names.into_iter().chain([keys.sessions(), keys.session_ends()]) {
                    prop_assert_eq!(shard_of(&key), keys.shard());
                }
                for key in [keys.ledger(), keys.tag().closed()] {
                    prop_assert_eq!(shard_of(&key), keys.shard());
                    prop_assert_eq!(subject_of(own, &key), None);
                }
                let november = "2026-11".parse().unwrap();
                for key in [keys.tag().totals(november), keys.tag().callers(november), keys.request(&name)] {
                    prop_assert_eq!(shard_of(&key), keys.shard());
                    prop_assert!(!key.ends_with("2026-11"), "an operator's command would take it for a caller's month");
                }
                prop_assert!(Tag::all(own).any(|tag| tag.ledger() == keys.ledger()));
            }
        }
    }
}
