//! The operations of makers on sessions: any sequence of them gives the answers of a plain list.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::bench::{Bench, KEEP, Place, START, ask, charge, subject};
use super::edges::EVERY;
use crate::config::RequestRate;
use crate::domain::{Month, NanoUsd, Subject, UnixMs};
use crate::identity::Caps;
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionDenial, SessionRequest};
use crate::limits::{Bucket, Limits};
use crate::store::Embedded;

#[derive(Debug, Clone)]
enum Step {
    /// Opens a session. `name` is one of few, so that some sessions are opened twice.
    Open {
        name: u8,
        seconds: u64,
    },
    Forget {
        name: u8,
    },
    Find {
        name: u8,
    },
    Wait {
        seconds: u64,
    },
    /// Reads every page, and takes these steps between them.
    Walk {
        limit: usize,
        between: Vec<Step>,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let plain = prop_oneof![
        6 => (any::<u8>(), 1..100_u64).prop_map(|(name, seconds)| Step::Open { name, seconds }),
        2 => any::<u8>().prop_map(|name| Step::Forget { name }),
        1 => any::<u8>().prop_map(|name| Step::Find { name }),
        1 => (1..60_u64).prop_map(|seconds| Step::Wait { seconds }),
    ];
    let between = prop_oneof![Just(Vec::new()), vec(plain.clone(), 1..10)];
    let walk = (1..6_usize, between).prop_map(|(limit, between)| Step::Walk { limit, between });
    vec(prop_oneof![8 => plain, 1 => walk], 1..80)
}

/// Returns an id that is not in order of time, so that the list must order by id.
fn id_of(name: u8) -> String {
    Uuid::from_u128(u128::from(name).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).to_string()
}

fn session(id: &str, now: UnixMs, seconds: u64) -> Session {
    Session {
        id: id.to_owned(),
        subject: subject("a user: !{}"),
        plan: "default".to_owned(),
        scope: "transcribe usage".to_owned(),
        created_at: now,
        expires_at: now.plus(Duration::from_secs(seconds)),
        caps: Caps { usd: Some(NanoUsd::new(5)), audio: None },
    }
}

fn request(maker: &Subject, session: Session, requests: Option<Bucket>, max_open: u32) -> Arc<SessionRequest> {
    let max_open = NonZeroU32::new(max_open).unwrap();
    Arc::new(SessionRequest { maker: maker.clone(), session, requests, max_open })
}

const MAX_OPEN: u32 = 12;

/// A store and a plain list, side by side.
struct Pair<'a> {
    bench: &'a Bench,
    runtime: &'a Runtime,
    maker: Subject,
    list: BTreeMap<String, Session>,
}

impl Pair<'_> {
    fn take(&mut self, step: &Step) {
        let now = self.bench.clock.now();
        match step {
            Step::Open { name, seconds } => {
                let id = id_of(*name);
                let session = session(&id, now, *seconds);
                self.list.retain(|_, session| session.expires_at > now);
                // The name of an open session stands for that session.
                if self.list.contains_key(&id) {
                    return;
                }
                let is_full = self.list.len() >= usize::try_from(MAX_OPEN).unwrap();
                let asked = request(&self.maker, session.clone(), None, MAX_OPEN);
                let denial = self.ask(|| self.bench.store.open_session(Arc::clone(&asked))).denial;
                assert_eq!(denial, is_full.then_some(SessionDenial::MaxOpen));
                if !is_full {
                    self.list.insert(id, session);
                }
            }
            Step::Forget { name } => {
                let id = id_of(*name);
                self.ask(|| self.bench.store.forget_session(&self.maker, &id));
                self.list.remove(&id);
            }
            Step::Find { name } => {
                let id = id_of(*name);
                let found = self.ask(|| self.bench.store.session(&self.maker, &id));
                assert_eq!(found.as_ref(), self.open_at(now).get(&id));
            }
            Step::Wait { seconds } => {
                self.bench.clock.advance(Duration::from_secs(*seconds));
                self.bench.tell_the_time(&self.maker);
            }
            Step::Walk { limit, between } => self.walk(*limit, between),
        }
    }

    fn walk(&mut self, limit: usize, between: &[Step]) {
        let before = self.open_at(self.bench.clock.now());
        let (mut seen, mut after, mut between_pages) = (Vec::new(), None, between.chunks(3));
        loop {
            let page = self.ask(|| self.bench.store.sessions(&self.maker, PageRequest { after: after.clone(), limit }));
            assert!(page.data.len() == limit || !page.has_more && page.data.len() < limit, "{page:?}");
            let open = self.open_at(self.bench.clock.now());
            assert!(page.data.iter().all(|session| open.get(&session.id) == Some(session)), "{page:?}");
            seen.extend(page.data);
            if !page.has_more {
                break;
            }
            after = seen.last().map(|session: &Session| session.id.clone());
            for step in between_pages.next().unwrap_or_default() {
                self.take(step);
            }
        }
        let ids: Vec<_> = seen.iter().map(|session| &session.id).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "each once, in order: {ids:?}");
        let now = self.open_at(self.bench.clock.now());
        for (id, session) in &before {
            assert!(now.get(id) != Some(session) || seen.contains(session), "{id} stayed, and was on no page");
        }
        if between.is_empty() {
            assert_eq!(seen, before.into_values().collect::<Vec<_>>());
        }
    }

    fn open_at(&self, now: UnixMs) -> BTreeMap<String, Session> {
        self.list.clone().into_iter().filter(|(_, session)| session.expires_at > now).collect()
    }

    fn ask<T, F>(&self, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, crate::store::StoreError>>,
    {
        self.runtime.block_on(ask()).unwrap()
    }
}

fn follows_a_plain_list(make: fn() -> Bench) {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(async { make() });
    proptest!(ProptestConfig::with_cases(48), |(steps in steps(), maker in "[a-z]{12}")| {
        let maker = subject(&maker);
        bench.tell_the_time(&maker);
        let mut pair = Pair { bench: &bench, runtime: &runtime, maker, list: BTreeMap::new() };
        for step in steps.iter().chain([&Step::Walk { limit: 3, between: Vec::new() }]) {
            pair.take(step);
        }
    });
}

#[test]
fn the_sessions_of_the_embedded_store_are_those_of_a_plain_list() {
    follows_a_plain_list(Bench::embedded);
}

#[test]
fn the_sessions_of_redis_are_those_of_a_plain_list() {
    follows_a_plain_list(Bench::redis);
}

async fn listed(bench: &Bench, maker: &Subject, limit: usize) -> Vec<String> {
    let page = bench.store.sessions(maker, PageRequest { after: None, limit }).await.unwrap();
    page.data.into_iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn sessions_are_listed_for_their_maker_until_they_end() {
    for make in EVERY {
        let bench = make();
        let (alice, bob) = (subject("alice"), subject("bob"));
        for who in [&alice, &bob] {
            bench.tell_the_time(who);
        }
        let now = bench.store.now(&alice);
        let (kept, over) = (session("kept", now, 100 * 365 * 24 * 3600), session("over", now, 0));
        for session in [&over, &kept] {
            let opened = bench.store.open_session(request(&alice, session.clone(), None, 2)).await.unwrap();
            assert_eq!(opened, SessionDecision { denial: None, reset: Duration::ZERO });
        }
        assert_eq!(listed(&bench, &alice, 100).await, ["kept"]);
        assert_eq!(bench.store.session(&alice, "kept").await.unwrap(), Some(kept.clone()));
        for id in ["over", "kep", "kept ", "kept {\"id\":\"kept\"", "", " ", "\u{10ffff}", "[", "("] {
            assert_eq!(bench.store.session(&alice, id).await.unwrap(), None, "{id}");
        }
        assert_eq!(listed(&bench, &bob, 100).await, [""; 0]);
        bench.store.forget_session(&bob, "kept").await.unwrap();
        assert_eq!(listed(&bench, &alice, 100).await, ["kept"]);
        bench.store.forget_session(&alice, "kept").await.unwrap();
        assert_eq!(listed(&bench, &alice, 100).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_session_takes_one_of_its_makers_requests_or_nothing() {
    for make in EVERY {
        let bench = make();
        let (alice, two) = (subject("alice"), NonZeroU32::new(2).unwrap());
        bench.tell_the_time(&alice);
        let rate = RequestRate { per_minute: NonZeroU32::new(60).unwrap(), burst: two };
        let bucket = Some(Bucket::for_requests(rate));
        let now = bench.store.now(&alice);
        let open = async |id: &str, max_open| {
            bench.tell_the_time(&alice);
            let asked = request(&alice, session(id, now, 3600), bucket, max_open);
            bench.store.open_session(asked).await.unwrap()
        };
        let second = Duration::from_secs(1);
        assert_eq!(open("one", 9).await, SessionDecision { denial: None, reset: second });
        // The limit of open sessions is reached, and the request is not taken.
        let full = SessionDecision { denial: Some(SessionDenial::MaxOpen), reset: second };
        assert_eq!(open("two", 1).await, full);
        assert_eq!(open("two", 9).await, SessionDecision { denial: None, reset: second * 2 });
        let denial = Some(SessionDenial::Requests { wait: second });
        assert_eq!(open("three", 9).await, SessionDecision { denial, reset: second * 2 });
        assert_eq!(listed(&bench, &alice, 9).await, ["one", "two"]);
        // A request after the advised wait is accepted.
        bench.clock.advance(second);
        assert_eq!(open("three", 9).await, SessionDecision { denial: None, reset: second * 2 });
    }
}

#[tokio::test]
async fn a_session_that_is_asked_for_twice_in_redis_is_opened_once() {
    let bench = Bench::redis();
    let alice = subject("alice");
    bench.tell_the_time(&alice);
    let rate = RequestRate { per_minute: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let session = session("one", bench.store.now(&alice), 3600);
    let asked = request(&alice, session, Some(Bucket::for_requests(rate)), 1);
    for _ in 0..2 {
        assert_eq!(bench.store.open_session(Arc::clone(&asked)).await.unwrap().denial, None);
    }
    assert_eq!(listed(&bench, &alice, 9).await, ["one"]);
}

#[tokio::test]
async fn sessions_that_have_ended_take_no_room_and_hide_none_that_has_not() {
    for make in [Bench::embedded, Bench::redis] {
        let bench = make();
        let alice = subject("alice");
        bench.tell_the_time(&alice);
        let now = bench.store.now(&alice);
        // More sessions than one cleanup drops, before and between those that stay.
        for at in 0..500_u32 {
            let seconds = if at % 100 == 99 { 7200 } else { 60 };
            let opened = request(&alice, session(&format!("id-{at:03}"), now, seconds), None, 500);
            assert_eq!(bench.store.open_session(opened).await.unwrap().denial, None);
        }
        let another = |id: &str, now| request(&alice, session(id, now, 7200), None, 500);
        let denial = bench.store.open_session(another("one-too-many", now)).await.unwrap().denial;
        assert_eq!(denial, Some(SessionDenial::MaxOpen));
        bench.clock.advance(Duration::from_secs(61));
        bench.tell_the_time(&alice);
        let page = bench.store.sessions(&alice, PageRequest { after: None, limit: 3 }).await.unwrap();
        let ids: Vec<_> = page.data.iter().map(|session| session.id.as_str()).collect();
        assert_eq!((ids, page.has_more), (vec!["id-099", "id-199", "id-299"], true));
        assert_eq!(listed(&bench, &alice, 100).await.len(), 5);
        let denial = bench.store.open_session(another("one-more", bench.store.now(&alice))).await.unwrap().denial;
        assert_eq!(denial, None);
        if let Place::Server(server) = &bench.place {
            listed(&bench, &alice, 1).await;
            let keys: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "*session*"])).unwrap();
            assert_eq!(keys.len(), 2, "{keys:?}");
            for key in keys {
                let count: u32 = redis::from_redis_value(server.run(&["ZCARD", &key])).unwrap();
                assert_eq!(count, 6, "{key}");
                let left: i64 = redis::from_redis_value(server.run(&["PTTL", &key])).unwrap();
                assert!(left > 0, "{key} ends by itself");
            }
        }
    }
}

#[tokio::test]
async fn who_lists_sessions_or_asks_for_usage_stands_in_no_line_with_who_is_admitted() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(UnixMs::new(START));
    let (rates, leases) = (Arc::new(Rates::new(clock.clone())), Arc::new(Leases::new(clock.clone())));
    let (store, mut threads) = Embedded::manual(folder.path(), KEEP, rates, leases, clock.clone());
    let alice = subject("alice");
    let asked = Arc::new(ask(&alice, Limits::default(), charge(1, 1)));
    let page = PageRequest { after: None, limit: 100 };
    let (admitted, listed, found, used) = tokio::join!(
        biased;
        // The thread that admits does nothing yet.
        tokio::time::timeout(Duration::ZERO, store.admit(asked)),
        store.sessions(&alice, page),
        store.session_of(&alice, "one"),
        async {
            let answer = store.statement(&alice, Month::of(clock.now()));
            let pumped = async { threads.answer_reads() };
            tokio::join!(biased; answer, pumped).0
        },
    );
    assert!(admitted.is_err(), "nobody has admitted anything");
    assert!(listed.unwrap().data.is_empty() && found.unwrap().is_none());
    assert_eq!(used.unwrap().total.requests, 0);
}
