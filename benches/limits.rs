//! How fast limits are: requests decided a second by each store, how long a request waits for it, what it costs Redis, and
//! what a caller takes up there. `make bench` runs it; it starts what it needs.
//!
//! `CALLERS=1000000` fills Redis with so many callers; a hundred thousand if it is left out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that fails may say so in any way"
)]

#[path = "../tests/support/redis.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod redis_server;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::mpsc;
use voxgate::config::{self, AudioRate, Namespace, RedisUrl, RequestRate};
use voxgate::domain::{AudioMs, NanoUsd, Subject};
use voxgate::identity::revocation::TokenRef;
use voxgate::ledger::{Charge, Ending, PermitId, RequestInfo};
use voxgate::limits::clock::Clock;
use voxgate::limits::leases::Leases;
use voxgate::limits::rates::Rates;
use voxgate::limits::{AdmitRequest, Bucket, IfUnknown, Limits, RateRefund, Settlement};
use voxgate::store::{Embedded, Redis, Store};

use redis_server::Server;

const KEEP: Duration = Duration::from_hours(24 * 62);
const ROUND: Duration = Duration::from_secs(3);
/// So many callers take turns.
const CALLERS: usize = 1000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("Each request is admitted with every limit set, and settled; {CALLERS} callers take turns.\n");
        println!("{HEAD}");
        flood();
        let folder = tempfile::tempdir().unwrap();
        let embedded = embedded(&folder);
        let server = Server::start();
        let (by_tcp, by_socket) = (redis(&server.url()), redis(&server.unix_url()));
        for at_once in [1, 32, 256] {
            round("embedded (SQLite)", &embedded, at_once, None).await;
            round("Redis, TCP", &by_tcp, at_once, Some(&server)).await;
            round("Redis, Unix socket", &by_socket, at_once, Some(&server)).await;
        }
        callers(&server, &by_socket).await;
    });
}

const HEAD: &str = "store                 at once  requests/s  admit p50 µs  admit p99 µs  Redis CPU µs/request";

/// What ends in this process: a caller over their rate, who costs the store nothing.
fn flood() {
    let clock = Clock::system();
    let rates = Rates::new(clock);
    let subject = subject(0);
    let one = RequestRate { per_minute: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let limits = Limits { requests: Some(Bucket::for_requests(one)), ..Limits::default() };
    rates.take(&subject, &limits).unwrap();
    let (mut count, start) = (0_u32, Instant::now());
    while start.elapsed() < ROUND / 3 {
        for _ in 0..1000 {
            assert!(rates.peek(&subject, &limits).is_err());
        }
        count += 1000;
    }
    let each = start.elapsed() / count;
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    println!("{:<22}{:>7}{rate:>12.0}{:>14.2}{:>14}{:>22}", "refused by governor", 1, micros(each), "-", "0");
}

fn embedded(folder: &tempfile::TempDir) -> Arc<Store> {
    let clock = Clock::system();
    let (rates, leases) = (Arc::new(Rates::new(clock.clone())), Arc::new(Leases::new(clock.clone())));
    Arc::new(Store::Embedded(Embedded::open(folder.path(), Namespace::default(), KEEP, rates, leases, clock).unwrap()))
}

fn redis(url: &str) -> Arc<Store> {
    let (url, timeout) = (url.parse::<RedisUrl>().unwrap(), Duration::from_secs(5));
    let settings = config::Redis { url, timeout, namespace: Namespace::default() };
    let (inbox, _) = mpsc::unbounded_channel();
    Arc::new(Store::Redis(Redis::new(&settings, KEEP, Clock::system(), inbox).unwrap()))
}

/// Has `at_once` requests on their way for a while.
async fn round(name: &str, store: &Arc<Store>, at_once: usize, server: Option<&Server>) {
    let before = server.map(cpu);
    let start = Instant::now();
    let tasks = (0..at_once).map(|task| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut waits = Vec::new();
            let mut caller = task;
            while start.elapsed() < ROUND {
                waits.push(request(&store, subject(caller)).await);
                caller = (caller + 7) % CALLERS;
            }
            waits
        })
    });
    let mut waits: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    let elapsed = start.elapsed();
    waits.sort_unstable();
    let count = u32::try_from(waits.len()).unwrap();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    let cost = before.zip(server).map_or("-".to_owned(), |(before, server)| {
        let used = cpu(server).saturating_sub(before);
        format!("{:.1}", micros(used) / f64::from(count))
    });
    let rate = f64::from(count) / elapsed.as_secs_f64();
    println!("{name:<22}{at_once:>7}{rate:>12.0}{:>14.0}{:>14.0}{cost:>22}", micros(at(50)), micros(at(99)));
}

/// One request, admitted and settled; how long it waited to be admitted.
async fn request(store: &Store, subject: Subject) -> Duration {
    let info = RequestInfo {
        request_id: PermitId::new().to_string(),
        plan: "default".to_owned(),
        model: "gpt-transcribe".to_owned(),
        provider: "openai".to_owned(),
        pieces: None,
        attempts: None,
    };
    let estimate = Charge { usd: NanoUsd::new(75_000), audio: AudioMs::new(1000) };
    let lease = Duration::from_mins(11);
    let ask = Arc::new(AdmitRequest {
        id: PermitId::new(),
        subject,
        token: TokenRef::default(),
        session: None,
        limits: limits(),
        estimate,
        lease,
        info,
    });
    let start = Instant::now();
    let decision = store.admit(Arc::clone(&ask)).await.unwrap();
    let waited = start.elapsed();
    assert_eq!(decision.denial, None);
    let settlement = Settlement {
        id: ask.id,
        subject: ask.subject.clone(),
        session: None,
        at: decision.at,
        info: ask.info.clone(),
        counted_as: ask.info.model.clone(),
        audio: ask.estimate.audio,
        estimate,
        cost: estimate,
        usage: None,
        ending: Ending::Answered,
        without_store: false,
        owed: Charge::NONE,
        unknown: IfUnknown::Charge,
        tried: false,
        marked: true,
        rates: RateRefund::default(),
    };
    store.settle(Arc::new(settlement)).await.unwrap();
    waited
}

/// Fills Redis with callers of one request each, and says what each takes up.
async fn callers(server: &Server, store: &Arc<Store>) {
    let count: usize = std::env::var("CALLERS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    server.run(&["FLUSHALL"]);
    let before = memory(server);
    let tasks = (0..64).map(|task| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for caller in (task..count).step_by(64) {
                request(&store, subject(caller)).await;
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let each = memory(server).saturating_sub(before) / u64::try_from(count).unwrap();
    println!("\n{count} callers of one request each: {each} bytes of Redis's memory a caller.");
    server.run(&["FLUSHALL"]);
    for _ in 0..10_000 {
        request(store, subject(0)).await;
    }
    let ledgers: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "voxgate:*:ledger"])).unwrap();
    let usage = server.run(&["MEMORY", "USAGE", &ledgers[0], "SAMPLES", "0"]);
    let bytes: u64 = redis::from_redis_value(usage).unwrap();
    println!("10000 records: {} bytes each.", bytes / 10_000);
}

fn subject(number: usize) -> Subject {
    format!("user-{number:08}").parse().unwrap()
}

/// Every limit, none of which is reached.
fn limits() -> Limits {
    let most = NonZeroU32::new(1_000_000).unwrap();
    let audio = AudioMs::new(1_000_000_000);
    Limits {
        requests: Some(Bucket::for_requests(RequestRate { per_minute: most, burst: most })),
        audio: Some(Bucket::for_audio(AudioRate { per_minute: audio, burst: audio }, AudioMs::new(1000))),
        concurrent: Some(most),
        monthly_usd: Some(NanoUsd::MAX),
        monthly_audio: Some(audio),
    }
}

/// The processor time that Redis has used.
fn cpu(server: &Server) -> Duration {
    let used = |name: &str| info(server, "CPU", name).parse().map(Duration::from_secs_f64).unwrap();
    used("used_cpu_user:") + used("used_cpu_sys:")
}

fn memory(server: &Server) -> u64 {
    info(server, "MEMORY", "used_memory:").parse().unwrap()
}

fn info(server: &Server, section: &str, name: &str) -> String {
    let text: String = redis::from_redis_value(server.run(&["INFO", section])).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
