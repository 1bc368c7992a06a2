//! Redis in every bad state, one after the other, under load: the figures, to the nano-dollar, and the longest wait.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::poll::{until, until_within};
use crate::support::stores::{durable_redis, wait_for_store};

/// What a second of audio costs in billionths of a dollar.
const SECOND: u64 = 75_000;

/// What clients saw of a gateway under load.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    answered: AtomicUsize,
    refused: Mutex<Vec<String>>,
    longest: Mutex<Duration>,
}

impl Load {
    async fn of(&self, account: &Account, gateway: &Gateway) {
        while !self.stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            let answer = account.send(gateway, Form::new().file(&audio::wav(1000))).await;
            let elapsed = start.elapsed();
            let mut longest = self.longest.lock().unwrap();
            *longest = elapsed.max(*longest);
            if answer.status != 200 {
                self.refused.lock().unwrap().push(answer.text().to_owned());
            }
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets so many more requests be answered, and says how long the longest of them took.
    async fn pass(&self, count: usize) -> Duration {
        *self.longest.lock().unwrap() = Duration::ZERO;
        let enough = self.answered.load(Ordering::Relaxed) + count;
        until_within(Duration::from_mins(1), "requests are answered", async || {
            let answered = self.answered.load(Ordering::Relaxed);
            if answered >= enough { Ok(()) } else { Err(answered) }
        })
        .await;
        *self.longest.lock().unwrap()
    }
}

/// Waits until no settlement waits on disk.
async fn nothing_waits(gateway: &Gateway) {
    let folder = gateway.setup().data().join("settlements");
    let waiting =
        || std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    until("no settlement waits", async || {
        let bytes = waiting();
        if bytes == 0 { Ok(()) } else { Err(bytes) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_counted_twice_while_redis_comes_and_goes_under_load() {
    let mut server = durable_redis();
    let setup = Setup::new().env("REDIS_URL", &server.url()).env("VOXGATE_REDIS__TIMEOUT", "250ms");
    let gateway = setup.start().await;
    let accounts: Vec<_> = (0..8).map(|at| Account::of(&format!("caller-{at}"), "default")).collect();
    let load = Load::default();
    let clients = join_all(accounts.iter().map(|account| load.of(account, &gateway)));
    let faults = async {
        let mut figures = vec![("well", load.pass(60).await)];
        server.pause();
        figures.push(("paused", load.pass(60).await));
        server.resume();
        wait_for_store(&gateway, "ready").await;
        load.pass(20).await;
        server.kill();
        figures.push(("stopped", load.pass(60).await));
        server.start_again();
        wait_for_store(&gateway, "ready").await;
        figures.push(("started again", load.pass(60).await));
        server.run(&["REPLICAOF", "127.0.0.1", "1"]);
        figures.push(("read-only", load.pass(60).await));
        server.run(&["REPLICAOF", "NO", "ONE"]);
        wait_for_store(&gateway, "ready").await;
        load.pass(20).await;
        server.run(&["CONFIG", "SET", "maxmemory", "1"]);
        figures.push(("full", load.pass(60).await));
        server.run(&["CONFIG", "SET", "maxmemory", "0"]);
        wait_for_store(&gateway, "ready").await;
        load.pass(20).await;
        load.stop.store(true, Ordering::Relaxed);
        figures
    };
    let (_, figures) = tokio::join!(clients, faults);
    wait_for_store(&gateway, "ready").await;
    nothing_waits(&gateway).await;

    let refused = load.refused.lock().unwrap().clone();
    assert!(refused.is_empty(), "{refused:?}");
    let work = u64::try_from(gateway.provider.requests()).unwrap();
    let (mut requests, mut nanos) = (0, 0);
    for account in &accounts {
        let usage = account.settled(&gateway).await;
        let (total, days) = (&usage["total"], &usage["by_day"]);
        let settled: u64 = days.as_array().unwrap().iter().map(|day| day["requests"].as_u64().unwrap()).sum();
        assert_eq!(total["requests"], settled);
        requests += settled;
        nanos += total["audio_ms"].as_u64().unwrap() / 1000 * SECOND;
    }
    let longest: Vec<_> = figures.iter().map(|(state, span)| format!("{state} {}", span.as_millis())).collect();
    writeln!(
        std::io::stderr(),
        "\nRedis comes and goes under load: {work} requests served, {requests} recorded, {nanos} nano-USD; longest wait in \
         ms: {}",
        longest.join(", ")
    )
    .unwrap();
    assert_eq!((requests, nanos), (work, work * SECOND));
}

/// So many requests at once, on connections of their own: every worker has some of them.
async fn at_once(account: &Account, gateway: &Gateway, count: usize) -> Vec<Answer> {
    join_all((0..count).map(|_| account.transcribe(gateway, 300))).await
}

#[tokio::test]
async fn when_redis_is_back_no_worker_finds_out_by_a_request() {
    let mut server = durable_redis();
    let setup = Setup::new().env("VOXGATE_SERVER__WORKERS", "4").env("VOXGATE_ON_STORE_FAILURE", "deny");
    let gateway = setup.env("REDIS_URL", &server.url()).start().await;
    let alice = Account::of("alice", "default");
    let good = |answers: Vec<Answer>| answers.iter().filter(|answer| answer.status == 200).count();
    for round in 1..=3 {
        assert_eq!(good(at_once(&alice, &gateway, 16).await), 16, "round {round}");
        alice.settled(&gateway).await;
        server.kill();
        assert_eq!(good(at_once(&alice, &gateway, 1).await), 0, "round {round}");
        server.start_again();
        wait_for_store(&gateway, "ready").await;
    }
    assert_eq!(good(at_once(&alice, &gateway, 16).await), 16);
    let log = gateway.log.text();
    assert_eq!((log.matches("Redis is away").count(), log.matches("Redis is back").count()), (3, 3), "{log}");
    // One connection for each worker, one to settle and to look after it, and those of the last round are gone.
    let clients: String = redis::from_redis_value(server.run(&["CLIENT", "LIST"])).unwrap();
    let connections = clients.lines().filter(|line| line.contains(" cmd=eval")).count();
    assert!((3..=5).contains(&connections), "{clients}");
}
