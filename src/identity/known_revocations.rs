//! The revocations that this process knows. They apply whatever the store says: also while it is down, and after it has
//! lost them.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use super::revocation::{Revocation, RevokedTokens, TokenRef};
use crate::domain::{Subject, UnixMs};

/// The largest number of known revocations, which take some 20 MB. Those that end last are kept.
pub(crate) const MAX_REVOCATIONS: usize = 100_000;

/// The known revocations.
#[derive(Debug)]
pub struct KnownRevocations {
    max: usize,
    /// The number of revocations: most gateways have none, and then no request waits for the lock.
    count: AtomicUsize,
    held: RwLock<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The revocations by subject and token id; the id `""` stands for all tokens issued up to a second.
    by_subject: HashMap<Subject, HashMap<String, Known>>,
    by_end: BTreeSet<(UnixMs, Subject, String)>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The last second of issue that the revocation covers, since 1970; 0 if it is of a single token.
    up_to: u64,
    until: UnixMs,
}

impl KnownRevocations {
    /// Creates an empty set that never holds more than `max` revocations.
    pub fn new(max: usize) -> Self {
        Self { max, count: AtomicUsize::new(0), held: RwLock::default() }
    }

    /// Returns the number of revocations.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a revocation until it ends. A known one is never weakened or shortened.
    pub fn add(&self, revocation: &Revocation, now: UnixMs) {
        if revocation.until <= now {
            return;
        }
        let (token, up_to) = revocation.tokens.parts();
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.add(&revocation.subject, token, Known { up_to, until: revocation.until });
        while held.by_end.len() > self.max {
            held.remove_first();
        }
        self.count.store(held.by_end.len(), Ordering::Relaxed);
    }

    /// True if a token is known to be revoked.
    pub fn is_revoked(&self, subject: &Subject, token: &TokenRef, now: UnixMs) -> bool {
        if self.is_empty() {
            return false;
        }
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tokens) = held.by_subject.get(subject) else { return false };
        let known = |name: &str| tokens.get(name).filter(|known| known.until > now);
        let named = token.id.as_deref().filter(|name| !name.is_empty()).and_then(known);
        named.is_some() || known("").is_some_and(|known| token.is_up_to(known.up_to))
    }

    /// Removes the revocations that have ended.
    pub fn forget_ended(&self, now: UnixMs) {
        if self.is_empty() {
            return;
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        while held.by_end.first().is_some_and(|(until, ..)| *until <= now) {
            held.remove_first();
        }
        held.by_subject.shrink_to_fit();
        self.count.store(held.by_end.len(), Ordering::Relaxed);
    }

    /// Lists all revocations.
    pub fn all(&self) -> Vec<Revocation> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let of = |(subject, tokens): (&Subject, &HashMap<String, Known>)| {
            let subject = subject.clone();
            let revocation = move |(token, known): (&String, &Known)| Revocation {
                subject: subject.clone(),
                tokens: RevokedTokens::from_parts(token.clone(), known.up_to),
                until: known.until,
            };
            tokens.iter().map(revocation).collect::<Vec<_>>()
        };
        held.by_subject.iter().flat_map(of).collect()
    }
}

impl Held {
    fn add(&mut self, subject: &Subject, token: &str, new: Known) {
        let tokens = self.by_subject.entry(subject.clone()).or_default();
        let before = tokens.get(token).copied();
        let known = before
            .map_or(new, |before| Known { up_to: before.up_to.max(new.up_to), until: before.until.max(new.until) });
        tokens.insert(token.to_owned(), known);
        if let Some(before) = before {
            self.by_end.remove(&(before.until, subject.clone(), token.to_owned()));
        }
        self.by_end.insert((known.until, subject.clone(), token.to_owned()));
    }

    fn remove_first(&mut self) {
        let Some((_, subject, token)) = self.by_end.pop_first() else { return };
        let Some(tokens) = self.by_subject.get_mut(&subject) else { return };
        tokens.remove(&token);
        if tokens.is_empty() {
            self.by_subject.remove(&subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(subject: &str, token: &str, until: u64) -> Revocation {
        let tokens = RevokedTokens::Named(token.to_owned());
        Revocation { subject: subject.parse().unwrap(), tokens, until: UnixMs::new(until) }
    }

    fn token(id: &str, issued_at: u64) -> TokenRef {
        TokenRef { id: Some(id.to_owned()), issued_at: Some(issued_at), ..TokenRef::default() }
    }

    #[test]
    fn a_revocation_holds_for_its_tokens_until_it_ends() {
        let (known, now) = (KnownRevocations::new(10), UnixMs::new(1));
        let (alice, bob): (Subject, Subject) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        assert!(!known.is_revoked(&alice, &token("one", 5), now));
        known.add(&named("alice", "one", 100), now);
        known.add(&named("alice", "one", 50), now);
        assert!(known.is_revoked(&alice, &token("one", 5), UnixMs::new(99)), "it lasts as long as it did");
        assert!(!known.is_revoked(&alice, &token("one", 5), UnixMs::new(100)));
        assert!(!known.is_revoked(&alice, &token("two", 5), now) && !known.is_revoked(&bob, &token("one", 5), now));
        for second in [5, 3] {
            let tokens = RevokedTokens::IssuedUpTo(second);
            known.add(&Revocation { subject: alice.clone(), tokens, until: UnixMs::new(200) }, now);
        }
        assert!(known.is_revoked(&alice, &token("two", 5), now) && !known.is_revoked(&alice, &token("two", 6), now));
        assert!(known.is_revoked(&alice, &TokenRef::default(), now), "it may be from before");
        known.forget_ended(UnixMs::new(100));
        assert_eq!(known.all().len(), 1);
        known.forget_ended(UnixMs::new(200));
        assert!(known.is_empty() && known.held.read().unwrap().by_subject.is_empty());
        known.add(&named("alice", "one", 1), now);
        assert!(known.is_empty(), "one that has ended is not remembered");
    }

    #[test]
    fn of_too_many_those_that_end_last_stay() {
        let (known, now) = (KnownRevocations::new(3), UnixMs::new(1));
        known.add(&named("alice", "kept for long", 1_000_000), now);
        for at in 0..1000 {
            known.add(&named(&format!("page-{at}"), "a session", 10 + at), now);
        }
        assert_eq!(known.len(), 3);
        assert!(known.is_revoked(&"alice".parse().unwrap(), &token("kept for long", 5), now));
        assert!(known.is_revoked(&"page-999".parse().unwrap(), &token("a session", 5), now));
    }
}
