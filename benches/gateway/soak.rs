//! Two minutes at 80 % of what the gateway can do, before a provider that fails: is anything lost, does anything grow?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::accounts::{self, Accounts};
use super::house::House;
use super::load::{Answer, Client};
use super::machine::Others;
use super::memory::settled;
use super::process::Process;
use super::proxies::Build;
use super::rounds::median;
use super::uploads::Upload;

/// How many clients show what the gateway can do, and for how long.
const CLIENTS: usize = 32;
const PROBE: Duration = Duration::from_secs(5);
/// So much of it is asked of the gateway.
const SHARE: f64 = 0.8;
/// So many at once are no load but a queue that grows. What is due then is not sent.
const MOST_AT_ONCE: usize = 512;
/// The gateway ends a connection that is idle for 75 s; a client that uses one just then would lose its request.
const IDLE: Duration = Duration::from_secs(30);
/// What is open after this long stays open. Less than the gateway's own patience with connections that nobody uses.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the memory is looked at for, at both ends.
const END: Duration = Duration::from_secs(20);

/// Three kinds of request: small ones, some that are spooled to a file, some that are answered by a stream.
#[derive(Clone)]
struct Mix {
    small: Upload,
    large: Upload,
    streamed: Upload,
}

/// What has come of the requests so far.
#[derive(Default)]
struct Tally {
    asked: u64,
    not_sent: u64,
    at_once: usize,
    most_at_once: usize,
    statuses: BTreeMap<u16, u64>,
    lost: Vec<String>,
    waits: Vec<f64>,
    idle: Vec<(Instant, Client)>,
}

type Shared = Arc<Mutex<Tally>>;

/// What the gateway holds.
#[derive(Clone, Copy)]
struct Held {
    /// Open files, connections among them.
    open: usize,
    /// Recordings in files.
    spooled: usize,
    /// Memory, in MiB.
    memory: f64,
}

/// Whether all is as it must be.
pub(crate) async fn run(span: Duration) -> bool {
    let house = House::of(&Build::this());
    let mix = Mix {
        small: Upload::form(&house.tokens, 40_000),
        large: Upload::form(&house.tokens, 2_000_000),
        streamed: Upload::streamed(&house.tokens, 40_000),
    };
    house.provider.fail(true);
    let tally = Shared::default();
    let rate = capacity(&house, &mix, &tally).await * SHARE;
    let before = quiet(&house, &tally).await;
    println!("Capacity: {:.0} requests/s with {CLIENTS} clients. {rate:.0}/s for {} s:", rate / SHARE, span.as_secs());
    tally.lock().unwrap().waits.clear();
    let memory = steady(&house, &mix, &tally, rate, span).await;
    let after = quiet_again(&house, &tally, before).await;
    report(&house, &tally, [before, after], &memory, span).await
}

impl Mix {
    fn of(&self, number: u64) -> &Upload {
        // The provider fails every fifth, so a number that has nothing in common with five: each kind has its share.
        match number % 11 {
            3 => &self.streamed,
            7 => &self.large,
            _ => &self.small,
        }
    }
}

/// How many requests a second are answered when clients wait for nothing.
async fn capacity(house: &House, mix: &Mix, tally: &Shared) -> f64 {
    let (warm, end) = (Instant::now() + PROBE / 2, Instant::now() + PROBE / 2 + PROBE);
    let clients = (0..CLIENTS).map(|_| async {
        let (mut client, mut count) = (Client::new(house.gateway.address), 0_u32);
        while Instant::now() < end {
            let due = Instant::now();
            let number = begin(tally);
            let answer = client.ask(mix.of(number), usize::try_from(number).unwrap()).await;
            note(tally, due, answer);
            count += u32::from(Instant::now() > warm);
        }
        count
    });
    f64::from(join_all(clients).await.into_iter().sum::<u32>()) / PROBE.as_secs_f64()
}

/// Sends `rate` requests a second, whatever becomes of those before; gives the memory as it was, in KiB.
async fn steady(house: &House, mix: &Mix, tally: &Shared, rate: f64, span: Duration) -> Vec<(Duration, f64)> {
    let (start, process) = (Instant::now(), &house.gateway.process);
    let (mut sent, mut memory, mut spooled) = (0_u32, Vec::new(), 0);
    let mut others = Others::beside(house.processes());
    while start.elapsed() < span {
        let due = start.elapsed().as_secs_f64() * rate;
        while f64::from(sent) < due {
            let at = start + Duration::from_secs_f64(f64::from(sent) / rate);
            sent += 1;
            if tally.lock().unwrap().at_once < MOST_AT_ONCE {
                tokio::spawn(one(house.gateway.address, mix.clone(), Arc::clone(tally), begin(tally), at));
            } else {
                tally.lock().unwrap().not_sent += 1;
            }
        }
        let looks = u32::try_from(memory.len()).unwrap();
        if start.elapsed() >= Duration::from_millis(500) * looks {
            memory.push((start.elapsed(), f64::from(process.resident())));
            spooled = spooled.max(held(house).spooled);
            if looks % 20 == 19 {
                progress(tally, start.elapsed(), process, &others);
                others = Others::beside(house.processes());
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("    recordings in files: {spooled} at most");
    memory
}

/// One request on a connection that waits, or on a new one.
async fn one(address: SocketAddr, mix: Mix, tally: Shared, number: u64, due: Instant) {
    let waiting = tally.lock().unwrap().idle.pop().filter(|(since, _)| since.elapsed() < IDLE);
    let mut client = waiting.map_or_else(|| Client::new(address), |(_, client)| client);
    let answer = client.ask(mix.of(number), usize::try_from(number).unwrap()).await;
    let answered = answer.is_ok();
    note(&tally, due, answer);
    if answered {
        tally.lock().unwrap().idle.push((Instant::now(), client));
    }
}

/// Counts a request that begins; gives its number.
fn begin(tally: &Shared) -> u64 {
    let mut tally = tally.lock().unwrap();
    tally.at_once += 1;
    tally.most_at_once = tally.most_at_once.max(tally.at_once);
    tally.asked += 1;
    tally.asked - 1
}

/// Counts what came of one that was due at `due`.
fn note(tally: &Shared, due: Instant, answer: Result<Answer, String>) {
    let mut tally = tally.lock().unwrap();
    tally.at_once -= 1;
    tally.waits.push(due.elapsed().as_secs_f64() * 1e3);
    match answer {
        Ok(answer) => *tally.statuses.entry(answer.status).or_default() += 1,
        Err(error) => tally.lost.push(error),
    }
}

/// What is open once nothing is in flight, and every connection that was kept for the next request is let go of.
async fn quiet(house: &House, tally: &Shared) -> Held {
    while tally.lock().unwrap().at_once > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tally.lock().unwrap().idle.clear();
    house.provider.close_idle();
    settled(&house.gateway.process).await;
    held(house)
}

/// The same after the load. On a busy machine the last connections take a while to go.
async fn quiet_again(house: &House, tally: &Shared, before: Held) -> Held {
    let end = Instant::now() + PATIENCE;
    let mut after = quiet(house, tally).await;
    while after.open > before.open && Instant::now() < end {
        after = quiet(house, tally).await;
    }
    after
}

fn held(house: &House) -> Held {
    let (spool, open) = (house.gateway.spool(), house.gateway.process.open_files());
    let named = std::fs::read_dir(&spool).unwrap().count();
    // One without a name is shown as one that is deleted, in the folder where it was made.
    let nameless = open.iter().filter(|target| target.starts_with(spool.to_str().unwrap())).count();
    let memory = f64::from(house.gateway.process.resident()) / 1024.0;
    Held { open: open.len(), spooled: named + nameless, memory }
}

fn progress(tally: &Shared, at: Duration, process: &Process, others: &Others<'_>) {
    let tally = tally.lock().unwrap();
    let (mib, percent) = (f64::from(process.resident()) / 1024.0, others.percent());
    println!(
        "    {:>4.0} s: {} asked, {} at once, {mib:.1} MiB; others took {percent:.0} % of the machine",
        at.as_secs_f64(),
        tally.asked,
        tally.at_once
    );
}

/// Says what was found; whether all of it is as it must be.
async fn report(house: &House, tally: &Shared, held: [Held; 2], memory: &[(Duration, f64)], span: Duration) -> bool {
    let found = accounts::read(house).await;
    let (mut good, counts) = (true, house.provider.counts());
    let mut check = |holds: bool, text: String| {
        println!("{:<8} {text}", if holds { "ok" } else { "PROBLEM" });
        good &= holds;
    };
    let tally = tally.lock().unwrap();
    let answers = |status| tally.statuses.get(&status).copied().unwrap_or_default();
    let total: u64 = tally.statuses.values().sum();
    let statuses: Vec<_> = tally.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
    check(
        tally.lost.is_empty() && total == tally.asked,
        format!("{} requests, {total} answers ({}), {} lost", tally.asked, statuses.join(", "), tally.lost.len()),
    );
    if let Some(first) = tally.lost.first() {
        println!("         the first that was lost: {first}");
    }
    println!(
        "         the provider answered {}, refused {} with 500 and reset {}",
        counts.answered, counts.refused, counts.reset
    );
    // How fast it is decides nothing here.
    println!(
        "{:<8} {} at once at most; {} not sent since there were {MOST_AT_ONCE}; from when one was due: {}",
        if tally.not_sent == 0 { "kept up" } else { "BEHIND" },
        tally.most_at_once,
        tally.not_sent,
        waits(&tally.waits)
    );
    let [before, after] = held;
    check(after.open <= before.open, format!("{} files open before, {} after", before.open, after.open));
    check(after.spooled == 0, format!("recordings in files: {} before, {} after", before.spooled, after.spooled));
    let expected = Accounts::of(tally.asked, answers(200));
    check(found == Ok(expected), format!("accounts: {}; expected: {expected}", accounts::shown(&found)));
    let part = |wanted: &dyn Fn(Duration) -> bool| {
        median(memory.iter().filter(|(at, _)| wanted(*at)).map(|(_, kib)| kib / 1024.0))
    };
    let end = END.min(span / 3);
    let peak = f64::from(house.gateway.process.peak()) / 1024.0;
    let (first, last) = (part(&|at| at <= end).unwrap_or_default(), part(&|at| at + end >= span).unwrap_or_default());
    println!(
        "memory   {first:.1} MiB in the first {} s, {last:.1} MiB in the last (medians), {peak:.1} MiB at most; \
         with nothing in flight {:.1} MiB before, {:.1} MiB after",
        end.as_secs(),
        before.memory,
        after.memory
    );
    println!("warnings {}", house.warnings().unwrap_or_else(|| "none".to_owned()));
    good
}

fn waits(waits: &[f64]) -> String {
    let mut waits = waits.to_vec();
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)));
    let [half, most, all] = [50, 99, 100].map(|percent| at(percent).copied().unwrap_or_default());
    format!("p50 {half:.1} ms, p99 {most:.1} ms, at most {all:.0} ms")
}
