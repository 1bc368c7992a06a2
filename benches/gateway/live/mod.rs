//! Live sessions: how soon a turn is at the provider and its words at the reader, and what hundreds of sessions take.

mod client;
mod sound;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use nix::time::ClockId;

use crate::house::House;
use crate::machine::{self, Others};
use crate::process::Process;
use crate::proxies::Build;
use client::{Sent, Session};
use sound::{PIECE, Sound, TURN};

/// Measured turns of the session that is alone; the first ones, which open connections, are left out.
const TURNS: usize = 30;
const FIRST_TURNS: usize = 2;
/// How soon that session's pieces follow each other, which is sooner than in real time.
const STEP: Duration = Duration::from_millis(100);
/// How long the provider takes for a turn when there are many sessions.
const THINKING: Duration = Duration::from_millis(300);

const MAX_TO_PROVIDER_MS: f64 = 20.0;
const MAX_TO_READER_MS: f64 = 2.0;
const MAX_PIECE_MS: f64 = 250.0;
const MAX_MIB: f64 = 200.0;

/// How many sessions at once, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) sessions: usize,
    pub(crate) length: Duration,
}

/// Measures all of it; what is slow fails nothing, what is wrong does.
pub(crate) async fn run(crowd: Crowd) -> ExitCode {
    let mut outcome = ExitCode::SUCCESS;
    println!("live: one session, {TURNS} turns");
    if let Err(error) = alone().await {
        println!("    FAILED: {error}");
        outcome = ExitCode::FAILURE;
    }
    for name in ["PCM16, 16 kHz", "WebM (Opus)"] {
        println!("live: {} sessions of {name}, {} s", crowd.sessions, crowd.length.as_secs_f64());
        let sound = if name.starts_with("PCM") { Sound::pcm(crowd.length) } else { Sound::webm(crowd.length) };
        if let Err(error) = together(crowd, &sound).await {
            println!("    FAILED: {error}");
            outcome = ExitCode::FAILURE;
        }
    }
    println!("{}", machine::description());
    outcome
}

/// One session by itself.
async fn alone() -> Result<(), String> {
    let house = House::of(&Build::this());
    let others = Others::beside(house.processes());
    let sound = Sound::pcm(TURN * u32::try_from(FIRST_TURNS + TURNS).unwrap());
    let mut session = Session::open(house.gateway.address, &house.tokens[0], sound.wish).await?;
    let words = tokio::spawn(session.words());
    let mut sent = Vec::<Sent>::new();
    for piece in &sound.pieces {
        let next = Instant::now() + STEP;
        sent.push(session.send(piece.clone()).await?);
        tokio::time::sleep_until(next.into()).await;
    }
    session.end().await?;
    let words = words.await.map_err(|error| error.to_string())??;
    let turns = house.provider.turns();
    if turns.len() != FIRST_TURNS + TURNS || words.times.len() != turns.len() {
        return Err(format!("{} turns came to the provider, {} to the reader", turns.len(), words.times.len()));
    }
    // The last turn is ended by the request that says so.
    let measured = FIRST_TURNS..turns.len() - 1;
    let to_provider = turns[measured.clone()].iter().map(|turn| {
        let last = sent.iter().rev().find(|piece| piece.whole <= turn.arrived).expect("a turn has a piece");
        turn.arrived - last.whole
    });
    let to_reader = measured.map(|turn| words.times[turn].saturating_duration_since(turns[turn].answered));
    report("last byte of a turn to its request", &Times::of(to_provider), 50.0, MAX_TO_PROVIDER_MS);
    report("the provider's answer to its event", &Times::of(to_reader), 50.0, MAX_TO_READER_MS);
    let answers = Times::of(sent.iter().map(|piece| piece.answered - piece.whole));
    println!("    a piece to its answer: {answers}");
    println!("    others took {:.0} % of the machine", others.percent());
    house.print_warnings();
    Ok(())
}

/// Many sessions, each in real time.
async fn together(crowd: Crowd, sound: &Sound) -> Result<(), String> {
    let house = House::of(&Build::this());
    house.provider.think(THINKING);
    let (others, process) = (Others::beside(house.processes()), &house.gateway.process);
    let before = process.resident();
    let used = || [process.cpu(), house.gateway.store.cpu(), ClockId::CLOCK_PROCESS_CPUTIME_ID.now().unwrap().into()];
    let (used_before, start) = (used(), Instant::now() + PIECE);
    // The clusters of a recording are not all of the same length, and a little shorter than they may be.
    let step = crowd.length / number_of(&sound.pieces);
    let sessions = (0..crowd.sessions).map(|number| {
        // Nobody speaks in step with anybody else.
        let offset = TURN * u32::try_from(number).unwrap() / u32::try_from(crowd.sessions).unwrap();
        let token = &house.tokens[number % house.tokens.len()];
        speak(&house, token, sound, step, start + offset)
    });
    let times: Vec<_> = try_join_all(sessions).await?.into_iter().flatten().collect();
    let used: Vec<_> = used().iter().zip(used_before).map(|(after, before)| after.saturating_sub(before)).collect();
    report("a piece to its answer", &Times::of(times), 99.9, MAX_PIECE_MS);
    let [peak, before] = [process.peak(), before].map(|kib| f64::from(kib) / 1024.0);
    println!("    resident: at most {peak:.1} MiB, {}; {before:.1} before", verdict(peak, MAX_MIB, "MiB"));
    let sound_seconds = crowd.length.as_secs_f64() * f64::from(u32::try_from(crowd.sessions).unwrap());
    let each: Vec<_> = used.iter().map(|cpu| cpu.as_secs_f64() * 1e3 / sound_seconds).collect();
    println!(
        "    CPU ms for a second of a session: gateway {:.3}, Redis {:.3}, clients and provider {:.3}",
        each[0], each[1], each[2]
    );
    print_threads(process, sound_seconds);
    println!("    {} turns; others took {:.0} % of the machine", house.provider.turns().len(), others.percent());
    house.print_warnings();
    Ok(())
}

/// One of many: sends each piece when it is due, and gives how long after that each was answered.
async fn speak(
    house: &House,
    token: &str,
    sound: &Sound,
    step: Duration,
    start: Instant,
) -> Result<Vec<Duration>, String> {
    tokio::time::sleep_until(start.into()).await;
    let mut session = Session::open(house.gateway.address, token, sound.wish).await?;
    let words = tokio::spawn(session.words());
    let mut times = Vec::with_capacity(sound.pieces.len());
    for (number, piece) in (1..).zip(&sound.pieces) {
        let due = start + step * number;
        tokio::time::sleep_until(due.into()).await;
        times.push(session.send(piece.clone()).await?.answered - due);
    }
    session.end().await?;
    let words = words.await.map_err(|error| error.to_string())??;
    let turns = usize::try_from((step * number_of(&sound.pieces)).as_millis() / TURN.as_millis()).unwrap();
    if words.times.len() < turns {
        return Err(format!("the words of {} turns came, of {turns}", words.times.len()));
    }
    Ok(times)
}

fn number_of<T>(things: &[T]) -> u32 {
    u32::try_from(things.len()).unwrap()
}

/// Times in milliseconds, in order.
struct Times(Vec<f64>);

impl Times {
    fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// The time that so many percent keep.
    fn percentile(&self, percent: f64) -> f64 {
        let kept = self.0.iter().zip(1_u32..).find(|(_, number)| f64::from(*number) >= self.count() * percent / 100.0);
        kept.map_or(f64::NAN, |(time, _)| *time)
    }

    fn count(&self) -> f64 {
        f64::from(number_of(&self.0))
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, nearly_all, all] = [50.0, 99.0, 99.9, 100.0].map(|percent| self.percentile(percent));
        write!(f, "p50 {half:.3} ms, p99 {most:.3}, p99.9 {nearly_all:.3}, worst {all:.3} (of {})", self.0.len())
    }
}

fn report(what: &str, times: &Times, percent: f64, most: f64) {
    let unit = if percent < 99.0 { "ms, the median" } else { "ms for 99.9 %" };
    println!("    {what}: {times}: {}", verdict(times.percentile(percent), most, unit));
}

fn verdict(value: f64, most: f64, unit: &str) -> String {
    format!("{} of at most {most} {unit}", if value <= most { "reached" } else { "MISSED" })
}

/// What the threads of the gateway took, those of one kind together.
fn print_threads(process: &Process, sound_seconds: f64) {
    let shares = process.cpu_by_thread();
    let shares = shares.iter().map(|(name, cpu)| format!("{name} {:.3}", cpu.as_secs_f64() * 1e3 / sound_seconds));
    println!("    of the gateway, by threads since its start: {}", shares.collect::<Vec<_>>().join(", "));
}
