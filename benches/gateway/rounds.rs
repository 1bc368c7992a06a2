//! The rows that compare: each target in turn, several times over, so that whatever else the machine does meets all of them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::house::House;
use super::load::{self, Answer};
use super::machine::Others;
use super::process::Process;
use super::uploads::Upload;

/// What is taken from a round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The median time of a request, in milliseconds.
    Wait,
    /// The median time to the first event, in milliseconds.
    FirstEvent,
    /// The processor's time that each request takes, in milliseconds.
    Cpu,
}

/// What is sent.
pub(crate) struct Load {
    pub(crate) upload: Upload,
    pub(crate) connections: usize,
    pub(crate) measure: Measure,
}

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
}

/// One value of each target in one round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) direct: Option<f64>,
    pub(crate) unbuffered: Option<f64>,
    pub(crate) buffered: Option<f64>,
    pub(crate) voxgate: Option<f64>,
    /// The build that this one is compared with.
    pub(crate) before: Option<f64>,
    pub(crate) ffmpeg: Option<f64>,
    /// What Redis takes of the processor for a request through the gateway.
    pub(crate) redis: Option<f64>,
    /// How much of the machine others took, in percent.
    pub(crate) others: Option<f64>,
}

/// Every round of a row.
pub(crate) async fn run(name: &str, house: &House, load: &Load, pace: Pace) -> Result<Vec<Figures>, String> {
    let mut rounds = Vec::new();
    for number in 1..=pace.rounds {
        let mut line = format!("{name}, round {number} of {}:", pace.rounds);
        let mut figures = Figures::default();
        let others = Others::beside(house.processes());
        (figures.direct, _) = one("direct", house.provider.address, load, pace, [None; 2], &mut line).await?;
        if let Some(nginx) = &house.nginx {
            let whose = [Some(&nginx.process), None];
            (figures.unbuffered, _) = one("nginx unbuffered", nginx.unbuffered, load, pace, whose, &mut line).await?;
            (figures.buffered, _) = one("nginx buffered", nginx.buffered, load, pace, whose, &mut line).await?;
        }
        // The two builds change places from round to round: what came just before may leave a mark.
        let mut builds = vec![("voxgate", &house.gateway)];
        builds.extend(house.before.iter().map(|gateway| ("voxgate before", gateway)));
        if number % 2 == 0 {
            builds.reverse();
        }
        for (name, gateway) in builds {
            let whose = [Some(&gateway.process), Some(&gateway.store)];
            let (value, redis) = one(name, gateway.address, load, pace, whose, &mut line).await?;
            if std::ptr::eq(gateway, &raw const house.gateway) {
                (figures.voxgate, figures.redis) = (value, redis);
            } else {
                figures.before = value;
            }
        }
        let percent = others.percent();
        figures.others = Some(percent);
        println!("{line}\n    others took {percent:.0} % of the machine");
        rounds.push(figures);
    }
    Ok(rounds)
}

/// What the gateway does after an answer is out belongs to the request: it settles.
const SETTLING: Duration = Duration::from_millis(100);

/// One target for a while: its value, and what Redis took.
async fn one(
    name: &str,
    address: SocketAddr,
    load: &Load,
    pace: Pace,
    [process, store]: [Option<&Process>; 2],
    line: &mut String,
) -> Result<(Option<f64>, Option<f64>), String> {
    let failed = |error| format!("{name}: {error}");
    let clients = load::clients(address, &load.upload, load.connections).await.map_err(failed)?;
    tokio::time::sleep(SETTLING).await;
    if let Some(process) = process {
        process.forget_peak();
    }
    let used = || [process, store].map(|process| process.map(Process::cpu));
    let (before, start) = (used(), Instant::now());
    let answers = load::keep_busy(clients, &load.upload, pace.span).await.map_err(failed)?;
    let elapsed = start.elapsed();
    tokio::time::sleep(SETTLING).await;
    let after = used();
    let count = f64::from(u32::try_from(answers.len()).unwrap());
    let [cpu, redis] = [0, 1].map(|which| {
        let used = after[which]?.checked_sub(before[which]?)?;
        Some(millis(used) / count)
    });
    let wait = median_of(&answers, |answer| Some(answer.whole));
    let rate = count / elapsed.as_secs_f64();
    write!(line, "\n    {name:<17}{rate:>9.1} requests/s, p50 {wait:>9.3} ms").unwrap();
    for (whose, cpu) in [("CPU", cpu), ("Redis's", redis)] {
        if let Some(cpu) = cpu {
            write!(line, ", {whose} {cpu:.4} ms/request").unwrap();
        }
    }
    if let Some(process) = process {
        write!(line, ", peak {:.0} MiB", f64::from(process.peak()) / 1024.0).unwrap();
    }
    let value = match load.measure {
        Measure::Cpu => cpu,
        Measure::Wait => Some(wait),
        Measure::FirstEvent => Some(median_of(&answers, |answer| answer.first_event)),
    };
    Ok((value, redis))
}

fn median_of(answers: &[Answer], time: impl Fn(&Answer) -> Option<Duration>) -> f64 {
    let times = answers.iter().map(|answer| millis(time(answer).expect("an answer has what is measured")));
    median(times).unwrap()
}

/// The middle one of some values, or the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
