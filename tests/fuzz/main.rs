//! Recordings that are damaged in every way, sent to a gateway that runs: no answer is a fault of the gateway's, none costs
//! more than half a second of processor time, and nothing grows.
//!
//! The seeds are the formats of `tests/lengths`, one second of each, and its disguises. The same damage is done in each run. `VOXGATE_FUZZ=20000`
//! says how many recordings are sent: without it the test is passed over, since it takes longer than all others together.
//! `make test-all` sets it. `VOXGATE_FUZZ_SEED` asks for other damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr)]

#[path = "../lengths/cache.rs"]
mod cache;
mod client;
mod damage;
#[path = "../lengths/disguises.rs"]
mod disguises;
#[path = "../lengths/ffmpeg.rs"]
#[allow(dead_code, reason = "nothing is played here")]
mod ffmpeg;
#[path = "../lengths/formats.rs"]
#[allow(dead_code, reason = "nothing is judged here")]
mod formats;
mod gateway;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{Answer, Client};
use damage::{Random, damaged};
use ffmpeg::Ffmpeg;
use formats::FORMATS;
use gateway::Gateway;

/// How large a seed may be.
const MAX_SEED: usize = 100_000;
/// What no answer may cost.
const MAX_PROCESSOR_TIME: Duration = Duration::from_millis(500);
/// How much more memory than after the first eighth of the run there may be at its end.
const MAX_GROWTH_KIB: u64 = 32 * 1024;
const CONNECTIONS: u64 = 3;

/// A file that is taken for something else, as `tests/lengths` has it.
struct Case {
    name: String,
    bytes: Vec<u8>,
    #[allow(dead_code, reason = "nothing is judged here")]
    honest: bool,
}

/// What all connections found.
#[derive(Default)]
struct Found {
    answers: BTreeMap<String, u64>,
    slowest: Duration,
    faults: Vec<String>,
    memory_kib: Vec<(u64, u64)>,
}

#[test]
fn no_damaged_recording_stops_or_slows_or_fattens_the_gateway() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let Some(count) = number("VOXGATE_FUZZ") else {
        // Not by `eprintln!`: the test harness hides what a test prints that succeeds.
        let _ = writeln!(std::io::stderr(), "skipped: fuzz: VOXGATE_FUZZ is not set; `make fuzz` sets it");
        return;
    };
    let Some(ffmpeg) = Ffmpeg::find() else { panic!("ffmpeg is needed, which makes the seeds") };
    let seed = number("VOXGATE_FUZZ_SEED").unwrap_or(1);
    let seeds = seeds(&ffmpeg);
    let gateway = Gateway::start();
    let (sent, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| send_all(&gateway, &seeds, (seed, count), &sent, &found));
        }
    });
    let found = found.into_inner().unwrap();
    eprintln!("{count} recordings of {} seeds in {:?}; {}", seeds.len(), began.elapsed(), gateway.memory());
    eprintln!("the dearest answer took at most {:?} of processor time", found.slowest);
    for (answer, times) in &found.answers {
        eprintln!("{times:9} {answer}");
    }
    eprintln!("memory in KiB after so many: {:?}", found.memory_kib);
    assert!(found.faults.is_empty(), "{:#?}", found.faults);
    let kib_of = |memory: Option<&(u64, u64)>| memory.map_or(0, |(_, kib)| *kib);
    let (early, late) = (kib_of(found.memory_kib.first()), kib_of(found.memory_kib.last()));
    assert!(late <= early + MAX_GROWTH_KIB, "memory grew from {early} to {late} KiB");
    let log = gateway.end();
    assert!(!log.contains("panicked"), "{log}");
}

/// One second of each format, and whatever else is small enough.
fn seeds(ffmpeg: &Ffmpeg) -> Vec<Case> {
    let formats = FORMATS.iter().filter(|format| !format.alike);
    let honest = formats.map(|format| Case {
        name: format.name.to_owned(),
        bytes: ffmpeg.make_lasting(format, 1),
        honest: true,
    });
    let disguised = disguises::of(ffmpeg);
    // Many of them differ in little.
    let disguised = disguised.into_iter().filter(|case| case.bytes.len() <= MAX_SEED).step_by(3);
    honest.chain(disguised).collect()
}

/// Sends recordings on one connection until `count` were sent on all of them.
fn send_all(gateway: &Gateway, seeds: &[Case], (seed, count): (u64, u64), sent: &AtomicU64, found: &Mutex<Found>) {
    let mut client = Client::new(gateway.address());
    loop {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return;
        }
        let mut random = Random::new(seed << 40 | number);
        let Case { name, bytes: recording, .. } = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())];
        let (bytes, how) = damaged(recording, &other.bytes, &mut random);
        let fault = |what: String| format!("number {number} of seed {seed}: {name}, {how:?}: {what}");
        // The whole process's time while the request is in flight is a bound of what the request takes.
        let before = gateway.processor_time();
        let answer = client.send(&bytes, gateway.token());
        let mut took = gateway.processor_time().saturating_sub(before);
        if took > MAX_PROCESSOR_TIME {
            // It was others' time, perhaps.
            let _alone = found.lock().unwrap();
            let before = gateway.processor_time();
            client.send(&bytes, gateway.token()).ok();
            took = gateway.processor_time().saturating_sub(before);
        }
        let mut found = found.lock().unwrap();
        match answer {
            Ok(Answer { status, code }) => {
                if status >= 500 {
                    found.faults.push(fault(format!("{status} {code}")));
                }
                *found.answers.entry(format!("{status} {code}")).or_default() += 1;
            }
            Err(error) => found.faults.push(fault(format!("no answer: {error}"))),
        }
        if took > MAX_PROCESSOR_TIME {
            found.faults.push(fault(format!("took {took:?} of processor time")));
        }
        found.slowest = found.slowest.max(took);
        if number > 0 && number.is_multiple_of((count / 8).max(1)) {
            found.memory_kib.push((number, gateway.memory_kib()));
        }
        assert!(found.faults.len() < 20, "{:#?}", found.faults);
    }
}
