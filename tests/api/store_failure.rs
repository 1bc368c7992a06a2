//! What holds while Redis is away, and what becomes of the money then.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::account::Account;
use crate::form::Form;
use crate::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::provider::{Gate, Reply, answer};
use crate::redis_server::Server;
use crate::sound;

const PLANS: &str = r#"
[plans.brisk]
requests_per_minute = 1
burst = 5
[plans.narrow]
max_concurrent = 1
[plans.poor]
monthly_usd = "0.00015"     # two recordings of a second
"#;

/// What a second of audio costs in billionths of a dollar.
const SECOND: u64 = 75_000;

/// Redis as it is in earnest: what it has said yes to is on the disk.
fn durable() -> Server {
    Server::with(&["--appendonly", "yes", "--appendfsync", "always"])
}

async fn gateway(server: &Server) -> Gateway {
    Setup::new().config(PLANS).env("REDIS_URL", &server.url()).start().await
}

/// Waits until `/health/ready` says this of the store.
async fn store_is(gateway: &Gateway, state: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while gateway.send(gateway.operational("/health/ready")).await.json()["store"] != state {
        assert!(Instant::now() < deadline, "the store is not {state}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until no settlement waits on disk.
async fn nothing_waits(gateway: &Gateway) {
    let folder = gateway.setup().data().join("settlements");
    let deadline = Instant::now() + Duration::from_secs(20);
    let waiting =
        || std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    while waiting() > 0 {
        assert!(Instant::now() < deadline, "settlements wait on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn without_redis_callers_are_held_to_what_the_gateway_knows() {
    let mut server = durable();
    let gateway = gateway(&server).await;
    let (poor, brisk, narrow) =
        (Account::of("poor", "poor"), Account::of("brisk", "brisk"), Account::of("narrow", "narrow"));
    for _ in 0..2 {
        assert_eq!(poor.transcribe(&gateway, 1000).await.status, 200);
    }
    assert_eq!(brisk.transcribe(&gateway, 1000).await.status, 200);
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let asked = gateway.provider.requests();
    let in_flight = narrow.transcribe(&gateway, 1000);
    let meanwhile = async {
        gateway.provider.asked(asked + 1).await;
        server.kill();
        // The budget was used up when it was last heard of, the rate goes on, and the one in flight is still in flight.
        poor.transcribe(&gateway, 1000).await.is_error(429, "insufficient_quota", None);
        narrow.transcribe(&gateway, 1000).await.is_error(429, "concurrency_limit_exceeded", None);
        for _ in 0..4 {
            assert_eq!(brisk.transcribe(&gateway, 1000).await.status, 200);
        }
        brisk.transcribe(&gateway, 1000).await.is_error(429, "rate_limit_exceeded", None);
        store_is(&gateway, "away").await;
        assert_eq!(gateway.send(gateway.operational("/health/ready")).await.status, 200);
        gate.open();
    };
    let (last, ()) = tokio::join!(in_flight, meanwhile);
    assert_eq!(last.status, 200);
    server.start_again();
    store_is(&gateway, "ready").await;
    for (account, requests) in [(&poor, 2), (&brisk, 5), (&narrow, 1)] {
        let usage = account
            .usage_when(&gateway, |usage| usage["total"]["requests"] == requests && usage["open"]["requests"] == 0);
        let ms = requests * 1000;
        assert_eq!(usage.await["total"]["audio_ms"], ms);
    }
    let log = gateway.log.text();
    assert_eq!((log.matches("Redis is away").count(), log.matches("Redis is back").count()), (1, 1), "{log}");
}

#[tokio::test]
async fn deny_refuses_before_the_body_until_redis_is_back() {
    let mut server = durable();
    let setup = Setup::new().config(PLANS).env("REDIS_URL", &server.url()).env("VOXGATE_ON_STORE_FAILURE", "deny");
    let gateway = setup.start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    server.kill();
    let refused = alice.transcribe(&gateway, 1000).await;
    refused.is_error(503, "store_unavailable", None);
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (Some("1"), Some("1000")));
    let ready = gateway.send(gateway.operational("/health/ready")).await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("store_unavailable")));
    let mut wire = gateway.wire().await;
    let head = format!(
        "POST {TRANSCRIPTIONS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: audio/wav\r\n\
         content-length: 10000\r\nexpect: 100-continue\r\n\r\n",
        alice.token()
    );
    wire.send(&head).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 503"));
    let usage = gateway.request(reqwest::Method::GET, "/v1/usage").bearer_auth(alice.token());
    gateway.send(usage).await.is_error(503, "store_unavailable", None);
    server.start_again();
    store_is(&gateway, "ready").await;
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    let usage = alice.settled(&gateway).await;
    // The one that was refused was charged nothing.
    assert_eq!(usage["total"]["audio_ms"], 2000);
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn a_budget_is_given_out_once_however_often_redis_goes_and_comes_back() {
    let mut server = durable();
    let gateway = gateway(&server).await;
    let (poor, never) = (Account::of("poor", "poor"), Gate::closed());
    let mut in_flight = Vec::new();
    for round in 0..3 {
        for _ in 0..4 {
            gateway.provider.answer(Reply::stream().held_by(&never));
            let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(poor.token());
            in_flight.push(tokio::spawn(Form::new().file(&sound::wav(1000)).on(request).send()));
        }
        // All have been decided: those that were let in are at the provider, the others are refused.
        if round == 0 {
            gateway.provider.asked(2).await;
        }
        let refused = poor.transcribe(&gateway, 1000).await;
        refused.is_error(429, "insufficient_quota", None);
        if round % 2 == 0 {
            server.kill();
            store_is(&gateway, "away").await;
        } else {
            server.start_again();
            store_is(&gateway, "ready").await;
        }
    }
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn without_redis_a_budget_is_enough_for_as_many_at_once_as_ever() {
    let mut server = durable();
    let gateway = gateway(&server).await;
    server.kill();
    store_is(&gateway, "away").await;
    let poor = Account::of("poor", "poor");
    let answers = join_all((0..20).map(|_| poor.transcribe(&gateway, 1000))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2);
    server.start_again();
    store_is(&gateway, "ready").await;
    poor.transcribe(&gateway, 1000).await.is_error(429, "insufficient_quota", None);
}

#[tokio::test]
async fn a_client_that_leaves_while_redis_is_asked_is_charged_nothing() {
    let server = durable();
    let setup = Setup::new().env("REDIS_URL", &server.url()).env("VOXGATE_REDIS__TIMEOUT", "10s");
    let gateway = setup.start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    server.run(&["SCRIPT", "FLUSH"]);
    server.pause();
    let bytes = Form::new().file(&sound::wav(1000)).bytes();
    for _ in 0..4 {
        let mut wire = gateway.wire().await;
        let head = crate::before_the_body::head(alice.token(), &Form::content_type(), bytes.len(), "");
        wire.send(head).await;
        wire.send(&bytes).await;
        // Long enough for the gateway to have asked; if it has not, there is nothing to refund.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    gateway.log.recorded(5).await;
    server.resume();
    let usage = alice.usage_when(&gateway, |usage| usage["open"]["requests"] == 0).await;
    assert_eq!(usage["total"]["audio_ms"], 1000, "{usage}");
    assert_eq!(gateway.provider.requests(), 1);
}

#[tokio::test]
async fn what_a_gateway_could_not_settle_the_next_one_does_once() {
    let mut server = durable();
    let mut gateway = gateway(&server).await;
    let alice = Account::of("alice", "default");
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let in_flight = alice.transcribe(&gateway, 3000);
    let meanwhile = async {
        gateway.provider.asked(1).await;
        server.kill();
        gate.open();
    };
    assert_eq!(tokio::join!(in_flight, meanwhile).0.status, 200);
    assert_eq!(alice.transcribe(&gateway, 2000).await.status, 200);
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(gateway.log.text().contains("settlements wait on disk"), "{}", gateway.log.text());
    server.start_again();
    for _ in 0..2 {
        let mut again = gateway.setup().clone().start().await;
        let usage = alice.usage_when(&again, |usage| usage["open"]["requests"] == 0 && usage["total"]["requests"] == 2);
        assert_eq!(usage.await["total"], json!({ "requests": 2, "audio_ms": 5000, "spent_usd": "0.000375" }));
        again.terminate();
        assert_eq!(again.ended().await.code(), Some(0));
    }
    let waiting = std::fs::read_dir(gateway.setup().data().join("settlements")).unwrap().count();
    assert_eq!(waiting, 0);
}

#[tokio::test]
async fn a_gateway_starts_without_redis_and_finds_it_later() {
    let mut server = durable();
    server.kill();
    let gateway = gateway(&server).await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    server.start_again();
    store_is(&gateway, "ready").await;
    let usage = alice.usage_when(&gateway, |usage| usage["total"]["requests"] == 1).await;
    assert_eq!(usage["total"]["audio_ms"], 1000);
}

#[tokio::test]
async fn when_no_more_settlements_can_be_kept_nobody_is_let_in_without_the_store() {
    let mut server = durable();
    let setup = Setup::new().config("[store]\nmax_pending = 2").env("REDIS_URL", &server.url());
    let gateway = setup.start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    server.kill();
    let deadline = Instant::now() + Duration::from_secs(20);
    while alice.transcribe(&gateway, 1000).await.status == 200 {
        assert!(Instant::now() < deadline);
    }
    alice.transcribe(&gateway, 1000).await.is_error(503, "store_unavailable", None);
    server.start_again();
    store_is(&gateway, "ready").await;
    let asked = gateway.provider.requests();
    let usage = alice.usage_when(&gateway, |usage| usage["total"]["requests"] == asked).await;
    assert_eq!(usage["total"]["audio_ms"], asked * 1000);
}

#[tokio::test]
async fn an_embedded_store_that_cannot_be_written_to_is_gone_on_without_or_not_as_chosen() {
    for policy in ["local", "deny"] {
        let gateway = Gateway::with(&[("VOXGATE_ON_STORE_FAILURE", policy)]).await;
        let alice = Account::of("alice", "default");
        assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
        alice.settled(&gateway).await;
        // Somebody else writes to the file and does not end.
        let file = rusqlite::Connection::open(gateway.setup().data().join("voxgate.sqlite3")).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        let start = Instant::now();
        let answer = alice.transcribe(&gateway, 2000).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let ready = gateway.send(gateway.operational("/health/ready")).await;
        assert_eq!(ready.json()["store"], "away");
        if policy == "deny" {
            answer.is_error(503, "store_unavailable", None);
            assert_eq!(ready.status, 503);
        } else {
            assert_eq!((answer.status, ready.status), (200, 200));
        }
        file.execute_batch("ROLLBACK").unwrap();
        store_is(&gateway, "ready").await;
        let work = gateway.provider.requests();
        let usage = alice.usage_when(&gateway, |usage| usage["by_day"][0]["requests"] == work).await;
        assert_eq!(usage["total"]["audio_ms"], if policy == "deny" { 1000 } else { 3000 });
    }
}

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
            let answer = account.send(gateway, Form::new().file(&sound::wav(1000))).await;
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
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.answered.load(Ordering::Relaxed) < enough {
            assert!(Instant::now() < deadline, "requests hang");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        *self.longest.lock().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_counted_twice_while_redis_comes_and_goes_under_load() {
    let mut server = durable();
    let gateway = gateway(&server).await;
    let accounts: Vec<_> = (0..8).map(|at| Account::of(&format!("caller-{at}"), "default")).collect();
    let load = Load::default();
    let clients = join_all(accounts.iter().map(|account| load.of(account, &gateway)));
    let faults = async {
        let mut figures = vec![("well", load.pass(60).await)];
        server.pause();
        figures.push(("paused", load.pass(60).await));
        server.resume();
        store_is(&gateway, "ready").await;
        load.pass(20).await;
        server.kill();
        figures.push(("stopped", load.pass(60).await));
        server.start_again();
        store_is(&gateway, "ready").await;
        figures.push(("started again", load.pass(60).await));
        server.run(&["REPLICAOF", "127.0.0.1", "1"]);
        figures.push(("read-only", load.pass(60).await));
        server.run(&["REPLICAOF", "NO", "ONE"]);
        store_is(&gateway, "ready").await;
        load.pass(20).await;
        server.run(&["CONFIG", "SET", "maxmemory", "1"]);
        figures.push(("full", load.pass(60).await));
        server.run(&["CONFIG", "SET", "maxmemory", "0"]);
        store_is(&gateway, "ready").await;
        load.pass(20).await;
        load.stop.store(true, Ordering::Relaxed);
        figures
    };
    let (_, figures) = tokio::join!(clients, faults);
    store_is(&gateway, "ready").await;
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
    // The limit is 250 ms; the rest is for the machine.
    assert!(figures.iter().all(|(_, longest)| *longest < Duration::from_secs(3)), "{figures:?}");
}

#[tokio::test]
async fn a_file_that_was_cut_short_costs_nobody_but_its_last_line() {
    let mut server = durable();
    let mut gateway = gateway(&server).await;
    server.kill();
    let alice = Account::of("alice-\u{e9}", "default");
    for _ in 0..2 {
        assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    }
    gateway.terminate();
    gateway.ended().await;
    let folder = gateway.setup().data().join("settlements");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // In the middle of a letter of the second one.
    let bytes = std::fs::read(&file).unwrap();
    let cut = bytes.iter().rposition(|byte| *byte == 0xc3).unwrap();
    std::fs::write(&file, &bytes[..=cut]).unwrap();
    std::fs::create_dir(folder.join("a-folder.jsonl")).unwrap();
    server.start_again();
    let again = gateway.setup().clone().start().await;
    let usage = alice.usage_when(&again, |usage| usage["total"]["requests"] == 1).await;
    assert_eq!(usage["total"]["audio_ms"], 1000);
}

#[tokio::test]
async fn what_redis_refuses_one_caller_keeps_nobody_else_out() {
    let server = durable();
    let setup = Setup::new().env("REDIS_URL", &server.url()).env("VOXGATE_ON_STORE_FAILURE", "deny");
    let gateway = setup.config("[plans.default]\nrequests_per_minute = 600").start().await;
    let (eve, anna) = (Account::of("eve", "default"), Account::of("anna", "default"));
    assert_eq!(eve.transcribe(&gateway, 300).await.status, 200);
    let keys: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "voxgate:*:eve:rates"])).unwrap();
    server.run(&["SET", &keys[0], "not what it should be"]);
    for _ in 0..5 {
        eve.transcribe(&gateway, 300).await.is_error(503, "store_unavailable", None);
        assert_eq!(anna.transcribe(&gateway, 300).await.status, 200);
    }
    assert!(!gateway.log.text().contains("Redis is away"), "{}", gateway.log.text());
}

#[tokio::test]
async fn a_redis_that_does_not_allow_what_is_needed_is_away_and_stays_so() {
    let server = durable();
    server.run(&["ACL", "SETUSER", "narrow", "on", ">password", "~*", "+@all", "-xadd"]);
    let url = format!("redis://narrow:password@127.0.0.1:{}/0", server.port());
    let gateway = Setup::new().env("REDIS_URL", &url).start().await;
    store_is(&gateway, "away").await;
    let alice = Account::of("alice", "default");
    for _ in 0..5 {
        assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = gateway.log.text();
    assert_eq!((log.matches("Redis is away").count(), log.matches("Redis is back").count()), (1, 0), "{log}");
}

#[tokio::test]
async fn a_data_directory_that_is_taken_away_is_noticed() {
    let gateway = Gateway::start().await;
    let moved = gateway.setup().data().with_extension("moved");
    std::fs::rename(gateway.setup().data(), &moved).unwrap();
    store_is(&gateway, "away").await;
    assert!(gateway.log.text().contains("taken away"));
    std::fs::remove_dir_all(moved).unwrap();
}

#[tokio::test]
async fn a_flush_loses_what_was_counted_and_nothing_that_comes_after() {
    let server = durable();
    let gateway = gateway(&server).await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 1000).await.status, 200);
    alice.settled(&gateway).await;
    let (gate, (content_type, body)) = (Gate::closed(), answer("json"));
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(&gate));
    let in_flight = alice.transcribe(&gateway, 3000);
    let meanwhile = async {
        gateway.provider.asked(2).await;
        server.run(&["FLUSHALL"]);
        server.run(&["SCRIPT", "FLUSH"]);
        gate.open();
    };
    assert_eq!(tokio::join!(in_flight, meanwhile).0.status, 200);
    assert_eq!(alice.transcribe(&gateway, 2000).await.status, 200);
    // The one in flight is charged when it ends, though Redis has forgotten that it began.
    let usage = alice.usage_when(&gateway, |usage| usage["total"]["requests"] == 2 && usage["open"]["requests"] == 0);
    assert_eq!(usage.await["total"]["audio_ms"], 5000);
}
