//! The machine: what it is, and what else it does meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use nix::time::ClockId;

use super::process::Process;

/// In words.
pub(crate) fn description() -> String {
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let (cpu, memory, kernel) = (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/proc/sys/kernel/osrelease"));
    let kib: f64 = field(&memory, "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    let gib = kib / 1024.0 / 1024.0;
    format!("Machine: {} × {}, {gib:.1} GiB, Linux {}", cores(), field(&cpu, "model name"), kernel.trim())
}

/// What this benchmark has no part in: the rest of what the machine does while something is measured.
pub(crate) struct Others<'a> {
    ours: Vec<&'a Process>,
    start: Instant,
    before: Duration,
}

impl<'a> Others<'a> {
    /// From now on; `ours` are measured or needed, as is this process.
    pub(crate) fn beside(ours: impl IntoIterator<Item = &'a Process>) -> Self {
        let mut others = Self { ours: ours.into_iter().collect(), start: Instant::now(), before: Duration::ZERO };
        others.before = others.used();
        others
    }

    /// Their share of the machine, in percent. The kernel's own work, such as writing files to the disk, is in it.
    pub(crate) fn percent(&self) -> f64 {
        let used = self.used().saturating_sub(self.before);
        100.0 * used.as_secs_f64() / self.start.elapsed().as_secs_f64() / f64::from(cores())
    }

    fn used(&self) -> Duration {
        let own = Duration::from(ClockId::CLOCK_PROCESS_CPUTIME_ID.now().unwrap());
        let ours: Duration = self.ours.iter().map(|process| process.cpu()).sum();
        busy().saturating_sub(own + ours)
    }
}

/// What all cores have worked since the start, in ticks of 10 ms each.
fn busy() -> Duration {
    let text = read("/proc/stat");
    let ticks: Vec<u64> = text.lines().next().unwrap().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what guests take is in user and nice.
    let worked = ticks.iter().take(3).chain(ticks.iter().skip(5).take(3)).sum::<u64>();
    Duration::from_millis(worked * 10)
}

fn cores() -> u32 {
    u32::try_from(read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count()).unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
