//! What a process uses: the processor's time, and memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// A process, and those that it has started.
#[derive(Clone)]
pub(crate) struct Process {
    pids: Vec<Pid>,
}

impl Process {
    /// `pid` alone.
    pub(crate) fn alone(pid: u32) -> Self {
        Self { pids: vec![Pid::from_raw(i32::try_from(pid).unwrap())] }
    }

    /// `pid` and its children, of which there must be none that come later.
    pub(crate) fn with_children(pid: u32) -> Self {
        let mut all = Self::alone(pid);
        let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let is_child = |child: &u32| parent(*child) == Some(pid);
        let children = entries.filter_map(|name| name.parse().ok()).filter(is_child);
        all.pids.extend(children.map(|child: u32| Pid::from_raw(i32::try_from(child).unwrap())));
        all
    }

    pub(crate) fn count(&self) -> usize {
        self.pids.len()
    }

    /// The processor's time that it has used, in user space and in the kernel, by the clock that the kernel keeps of each
    /// process: to the nanosecond, and with the threads that have ended.
    pub(crate) fn cpu(&self) -> Duration {
        let used = |pid: &Pid| Duration::from(ClockId::pid_cpu_clock_id(*pid).unwrap().now().unwrap());
        self.pids.iter().map(used).sum()
    }

    /// The same by the names of its threads that have not ended, without their numbers; in ticks of 10 ms.
    pub(crate) fn cpu_by_thread(&self) -> BTreeMap<String, Duration> {
        let mut used = BTreeMap::<String, Duration>::new();
        let folders = self.pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok());
        for thread in folders.flatten().flatten() {
            let text = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let Some((name, fields)) = text.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else {
                continue;
            };
            let ticks = fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum::<u64>();
            let name = name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '-');
            *used.entry(name.to_owned()).or_default() += Duration::from_millis(ticks * 10);
        }
        used
    }

    /// Its resident memory now, in KiB.
    pub(crate) fn resident(&self) -> u32 {
        self.pids.iter().map(|pid| status(*pid, "VmRSS:")).sum()
    }

    /// The most that it was since the last [`Process::forget_peak`], in KiB, exact as the kernel keeps it.
    pub(crate) fn peak(&self) -> u32 {
        self.pids.iter().map(|pid| status(*pid, "VmHWM:")).sum()
    }

    pub(crate) fn forget_peak(&self) {
        for pid in &self.pids {
            fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        }
    }

    /// Where its open files point to.
    pub(crate) fn open_files(&self) -> Vec<String> {
        let folders = self.pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok());
        let links = folders.flatten().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.map(|target| target.to_string_lossy().into_owned()).collect()
    }
}

fn status(pid: Pid, name: &str) -> u32 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{pid} has ended"));
    value.split_whitespace().next().unwrap().parse().unwrap()
}

fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
