//! The stores under test, with a clock that is moved by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::redis_server::{Cluster, Server};
use crate::config;
use crate::domain::{AudioMs, Month, NanoUsd, Subject, UnixMs};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo};
use crate::limits::clock::Clock;
use crate::limits::leases::Leases;
use crate::limits::rates::Rates;
use crate::limits::{AdmitRequest, Limits, ReviseRequest, Revision, Settlement};
use crate::store::{Embedded, OpenError, Redis, Store};

/// The middle of a month, so that no test crosses the turn of a month by chance.
pub(crate) const START: u64 = 1_794_700_800_000;
pub(crate) const KEEP: Duration = Duration::from_hours(24 * 62);

/// A store and its clock.
pub(crate) struct Bench {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) place: Place,
    pub(crate) abandoned: mpsc::UnboundedReceiver<Settlement>,
}

/// The location of the store's data.
pub(crate) enum Place {
    Folder(TempDir),
    Server(Server),
    Cluster(Cluster),
}

impl Bench {
    pub(crate) fn embedded() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(UnixMs::new(START));
        let store = Store::Embedded(Self::open(&folder, &clock));
        let (_, abandoned) = mpsc::unbounded_channel();
        Self { store: Arc::new(store), clock, place: Place::Folder(folder), abandoned }
    }

    pub(crate) fn open(folder: &TempDir, clock: &Clock) -> Embedded {
        let open = || {
            let rates = Arc::new(Rates::new(clock.clone()));
            let leases = Arc::new(Leases::new(clock.clone()));
            Embedded::open(folder.path(), config::Namespace::default(), KEEP, rates, leases, clock.clone())
        };
        // Another test may be starting a redis-server: until that has replaced its copy of this process, the copy holds
        // the lock of a store that was closed here.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match open() {
                Err(OpenError::Taken { .. }) if Instant::now() < deadline => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    pub(crate) fn redis() -> Self {
        let server = Server::start();
        Self::shared(&server.url(), Place::Server(server))
    }

    pub(crate) fn cluster() -> Self {
        let cluster = Cluster::start();
        Self::shared(&cluster.url(), Place::Cluster(cluster))
    }

    fn shared(url: &str, place: Place) -> Self {
        let clock = Clock::manual(UnixMs::new(START));
        let (inbox, abandoned) = mpsc::unbounded_channel();
        let store = Redis::manual(&settings(url), KEEP, clock.clone(), inbox).unwrap();
        Self { store: Arc::new(Store::Redis(store)), clock, place, abandoned }
    }

    /// Sets the time of Redis to the clock, for one caller.
    pub(crate) fn tell_the_time(&self, subject: &Subject) {
        let key = clock_of(subject);
        let now = self.clock.now().get();
        let (seconds, micros) = ((now / 1000).to_string(), (now % 1000 * 1000).to_string());
        let command = ["HSET", &key, "seconds", &seconds, "micros", &micros];
        match &self.place {
            Place::Folder(_) => {}
            Place::Server(server) => drop(server.run(&command)),
            Place::Cluster(cluster) => drop(cluster.run(&key, &command)),
        }
    }

    /// Marks a store that was away as available again.
    pub(crate) async fn recover(&self) {
        if let Store::Redis(store) = &*self.store {
            store.recovered();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Waits until the replica of a caller's node has all data of the node.
    pub(crate) fn replicated(&self, key: &str) {
        let Place::Cluster(cluster) = &self.place else { return };
        let deadline = Instant::now() + Duration::from_secs(20);
        let number = |info: &str, name: &str| -> Option<u64> {
            let rest = info.split_once(name)?.1;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        loop {
            let info: String = redis::from_redis_value(cluster.run(key, &["INFO", "replication"])).unwrap();
            let (ours, theirs) = (number(&info, "master_repl_offset:"), number(&info, ",offset="));
            if ours.is_some() && ours == theirs {
                return;
            }
            assert!(Instant::now() < deadline, "the replica does not catch up: {info}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the time for which the charges of a session are kept; Redis keeps it by its own clock.
    pub(crate) fn kept_session(&self, subject: &Subject, id: &str) -> Duration {
        let key = Redis::session_key(subject, id);
        let command = ["PTTL", &key];
        let left = match &self.place {
            Place::Folder(_) => return Duration::MAX,
            Place::Server(server) => server.run(&command),
            Place::Cluster(cluster) => cluster.run(&key, &command),
        };
        Duration::from_millis(redis::from_redis_value(left).unwrap())
    }

    /// Returns the records of a caller in this month.
    pub(crate) async fn entries(&self, subject: &Subject, month: Month) -> Vec<Entry> {
        match (&*self.store, &self.place) {
            (Store::Redis(store), _) => store.entries(Some(subject), month).await.unwrap(),
            (Store::Embedded(_), Place::Folder(folder)) => {
                let reader =
                    crate::store::embedded::Reader::open(folder.path(), config::Namespace::default()).unwrap().unwrap();
                reader.entries(Some(subject), month).unwrap()
            }
            (Store::Embedded(_) | Store::Unreliable(_), _) => unreachable!("the embedded store is in a folder"),
        }
    }
}

/// Returns the key from which the scripts read the time for a caller: beside the stream of the caller's records.
pub(crate) fn clock_of(subject: &Subject) -> String {
    Redis::ledger_of(subject).replace(":ledger", ":clock")
}

/// Returns `[redis]` settings with longer time limits than a gateway's: these tests check answers, not speed.
pub(crate) fn settings(url: &str) -> config::Redis {
    let url = url.parse::<config::RedisUrl>().unwrap();
    config::Redis { url, timeout: Duration::from_secs(5), namespace: config::Namespace::default() }
}

pub(crate) fn subject(name: &str) -> Subject {
    name.parse().unwrap()
}

/// Returns a request of a caller with an expected cost of `estimate`.
pub(crate) fn ask(subject: &Subject, limits: Limits, estimate: Charge) -> AdmitRequest {
    let info = RequestInfo {
        request_id: "a-request".to_owned(),
        plan: "a plan".to_owned(),
        model: "a:model".to_owned(),
        provider: "openai".to_owned(),
        pieces: None,
        attempts: None,
    };
    let (id, subject, token) = (PermitId::new(), subject.clone(), TokenRef::default());
    AdmitRequest { id, subject, token, session: None, limits, estimate, lease: Duration::from_secs(30), info }
}

/// Returns the first change of the charge of a permit that was given at `at`, by the limits of its admission, except those
/// that do not apply.
pub(crate) fn revise(ask: &AdmitRequest, at: UnixMs, charge: Charge) -> ReviseRequest {
    ReviseRequest {
        id: ask.id,
        revision: Revision::new(1),
        subject: ask.subject.clone(),
        token: ask.token.clone(),
        session: ask.session.clone(),
        limits: Limits { requests: None, audio: None, concurrent: None, ..ask.limits },
        at,
        charge,
        lease: ask.lease,
        info: ask.info.clone(),
    }
}

pub(crate) fn charge(usd: u64, audio: u64) -> Charge {
    Charge { usd: NanoUsd::new(usd), audio: AudioMs::new(audio) }
}

/// Returns the settlement of a permit that was given at `at`.
pub(crate) fn settlement(ask: &AdmitRequest, at: UnixMs, cost: Charge) -> Settlement {
    let entry = Entry { cost, ending: Ending::Answered, ..ask.entry(at) };
    Settlement { session: ask.session.clone(), ..Settlement::from_entry(entry) }
}
