//! Settlements that the store could not take, on disk until it can.
//!
//! Each process has a file of its own in the data directory, and takes over those of processes that have died. A line is
//! one settlement. Lines are only ever added; a settlement that is written twice is charged once, so a file that still
//! has lines of what was settled does no harm, and is begun anew when nothing waits.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ledger::PermitId;
use crate::limits::Settlement;
use crate::private_dir;

const ENDING: &str = "jsonl";

/// The settlements that wait.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// In the order in which their requests came.
    waiting: BTreeMap<PermitId, Settlement>,
    /// How many lines there are at most before the file is written again with what waits alone.
    most: usize,
    lines: usize,
    /// Whether the last line could not be written, and may be there in part.
    torn: bool,
    /// Whether the file holds what this process has given up, so that it must stay.
    aside: bool,
}

impl Journal {
    /// Opens a journal in `folder`, with what others left behind in it. The directory that the folder is in is there.
    pub(crate) fn open(folder: &Path, most: usize) -> io::Result<Self> {
        private_dir::make_inside(folder)?;
        let path = folder.join(format!("{}.{ENDING}", uuid::Uuid::now_v7().simple()));
        let file = begin(&path)?;
        let mut journal =
            Self { path, file, waiting: BTreeMap::new(), most: most.max(1000), lines: 0, torn: false, aside: false };
        for left in fs::read_dir(folder)? {
            let left = left?.path();
            if let Err(error) = journal.take_over(&left) {
                // The next gateway tries again; this one is not held up by it.
                tracing::error!(file = %left.display(), %error, "settlements that another gateway left cannot be read");
            }
        }
        Ok(journal)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Keeps a settlement.
    pub(crate) fn keep(&mut self, settlement: Settlement) {
        let written = self.write(&settlement);
        if let Err(error) = &written
            && !self.torn
        {
            tracing::error!(%error, "settlements cannot be kept on disk; they wait in memory alone");
        }
        self.torn = written.is_err();
        self.waiting.insert(settlement.id, settlement);
    }

    /// The first `count` of those that wait, after `last`.
    pub(crate) fn after(&self, last: Option<PermitId>, count: usize) -> Vec<Settlement> {
        let later = self.waiting.iter().filter(|(id, _)| last.is_none_or(|last| **id > last));
        later.take(count).map(|(_, settlement)| settlement.clone()).collect()
    }

    /// A settlement was written: it waits no longer.
    pub(crate) fn done(&mut self, id: PermitId) {
        if self.waiting.remove(&id).is_some() && self.may_go() && self.file.set_len(0).is_ok() {
            self.lines = 0;
        }
    }

    /// A settlement is not tried again by this process. It stays in the file, for the next one.
    pub(crate) fn set_aside(&mut self, id: PermitId) {
        self.aside |= self.waiting.remove(&id).is_some();
    }

    fn may_go(&self) -> bool {
        self.waiting.is_empty() && !self.aside
    }

    fn write(&mut self, settlement: &Settlement) -> io::Result<()> {
        if self.lines > 2 * self.most.max(self.waiting.len()) && !self.aside {
            self.begin_anew()?;
        }
        // What was begun and not ended is a line of its own.
        let begin = if self.torn { "\n" } else { "" };
        let line = format!("{begin}{}\n", serde_json::to_string(settlement).map_err(io::Error::other)?);
        self.lines += 1;
        self.file.write_all(line.as_bytes())
    }

    /// Writes the file again with what waits alone.
    fn begin_anew(&mut self) -> io::Result<()> {
        let mut file = begin(&self.path)?;
        self.lines = 0;
        for settlement in self.waiting.values() {
            let line = serde_json::to_string(settlement).map_err(io::Error::other)? + "\n";
            file.write_all(line.as_bytes())?;
            self.lines += 1;
        }
        self.file = file;
        Ok(())
    }

    /// Takes the settlements of a process that has died.
    fn take_over(&mut self, path: &Path) -> io::Result<()> {
        if *path == self.path || path.extension().is_none_or(|ending| ending != ENDING) {
            return Ok(());
        }
        let file = match private_dir::open(path, OpenOptions::new().read(true)) {
            Ok(file) if file.try_lock().is_ok() => file,
            // No gateway leaves a link, or a file that everybody may write to.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // It lives, or another has just taken it over.
            _ => return Ok(()),
        };
        // It is removed under its lock. If another gateway did that between the opening and the locking here, its settlements
        // are that gateway's; if a new file has the name since then, that is a living gateway's.
        if !fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|opened| opened.ino() == there.ino())) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        (&file).read_to_end(&mut bytes)?;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Ok(settlement) = serde_json::from_slice::<Settlement>(line) {
                // Of two lines of one settlement the later one knows more.
                self.keep(settlement);
            } else {
                // The line at which it died.
                tracing::warn!("a settlement that was cut short when its gateway died is left out");
            }
        }
        if self.torn { Ok(()) } else { fs::remove_file(path) }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.may_go() {
            // An empty file that stays does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A new file at `path` that nobody else can have: it is locked before it has the name by which others find it.
fn begin(path: &Path) -> io::Result<File> {
    let unfinished = path.with_extension("new");
    // Left by an attempt that failed, since no two processes have the same name.
    let _ = fs::remove_file(&unfinished);
    let file = private_dir::open(&unfinished, OpenOptions::new().append(true).create_new(true))?;
    file.try_lock()?;
    fs::rename(&unfinished, path)?;
    Ok(file)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::{AudioMs, UnixMs};
    use crate::ledger::{Charge, Ending, RequestInfo};
    use crate::limits::{IfUnknown, RateRefund};

    /// Any settlement.
    pub(crate) fn settlement() -> Settlement {
        let word = || "x".to_owned();
        Settlement {
            id: PermitId::new(),
            subject: "alice".parse().unwrap(),
            session: None,
            at: UnixMs::new(1),
            memo: RequestInfo { request_id: word(), plan: word(), model: word(), provider: word() },
            counted_as: word(),
            audio: AudioMs::new(1),
            estimate: Charge::NONE,
            cost: Charge::NONE,
            usage: None,
            ending: Ending::Answered,
            without_store: false,
            unknown: IfUnknown::Charge,
            tried: false,
            marked: true,
            rates: RateRefund::default(),
        }
    }

    /// As a process that is killed leaves it: locked by nobody, with everything still in it.
    fn die(journal: Journal) {
        let Journal { path, .. } = &journal;
        let (path, kept) = (path.clone(), path.with_extension("kept"));
        fs::copy(&path, &kept).unwrap();
        drop(journal);
        fs::rename(kept, path).unwrap();
    }

    #[test]
    fn journals_that_are_opened_together_take_over_everything_and_each_once() {
        let folder = TempDir::new().unwrap();
        for _ in 0..30 {
            let mut left = BTreeSet::new();
            for _ in 0..3 {
                let mut journal = Journal::open(folder.path(), 10).unwrap();
                for _ in 0..2 {
                    let settlement = settlement();
                    left.insert(settlement.id);
                    journal.keep(settlement);
                }
                die(journal);
            }
            let open = || {
                std::thread::spawn({
                    let folder = folder.path().to_owned();
                    move || Journal::open(&folder, 10).unwrap()
                })
            };
            let threads: Vec<_> = (0..4).map(|_| open()).collect();
            let journals: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(journals.iter().all(|journal| journal.path.exists()), "the file of a living one is gone");
            let mut found: Vec<_> = journals.iter().flat_map(|journal| journal.waiting.keys().copied()).collect();
            found.sort_unstable();
            assert_eq!(found, left.into_iter().collect::<Vec<_>>());
            for mut journal in journals {
                for id in journal.waiting.keys().copied().collect::<Vec<_>>() {
                    journal.done(id);
                }
            }
        }
    }

    #[test]
    fn a_file_is_begun_anew_with_what_waits_and_taken_over_as_it_was() {
        let folder = TempDir::new().unwrap();
        let mut journal = Journal::open(folder.path(), 1).unwrap();
        let waits = Settlement { tried: true, ..settlement() };
        journal.keep(waits.clone());
        for _ in 0..2500 {
            let settlement = settlement();
            journal.keep(settlement.clone());
            journal.done(settlement.id);
        }
        assert!(journal.lines < 2500, "{}", journal.lines);
        die(journal);
        let next = Journal::open(folder.path(), 1).unwrap();
        assert_eq!(next.waiting.get(&waits.id), Some(&waits));
    }

    #[test]
    fn a_line_of_an_earlier_gateway_is_taken_over_and_known_as_one() {
        let folder = TempDir::new().unwrap();
        let left = Settlement { tried: true, ..settlement() };
        let mut line = serde_json::to_value(&left).unwrap();
        for field in ["marked", "rates"] {
            line.as_object_mut().unwrap().remove(field).unwrap();
        }
        fs::write(folder.path().join(format!("left.{ENDING}")), format!("{line}\n")).unwrap();
        let next = Journal::open(folder.path(), 1).unwrap();
        assert_eq!(next.waiting.get(&left.id), Some(&Settlement { marked: false, ..left.clone() }));
    }
}
