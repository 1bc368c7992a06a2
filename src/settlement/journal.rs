//! Settlements that the store could not take, kept on disk until it can.
//!
//! Each process has a separate file in the data directory, and takes over the files of processes that have died. A line
//! is one settlement, and lines are only ever added. The store charges a settlement once, however often it is written,
//! so a file that still holds lines of finished settlements does no harm. The file is emptied when no settlement waits.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ledger::PermitId;
use crate::limits::Settlement;
use crate::private_dir;

const EXTENSION: &str = "jsonl";
/// The smallest number of settlements for which a file is laid out.
const MIN_CAPACITY: usize = 1000;

/// The waiting settlements, in memory and in a file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// The waiting settlements, in the order in which their requests came.
    waiting: BTreeMap<PermitId, Settlement>,
    /// The number of waiting settlements for which the file is laid out: a file with more than twice as many lines is
    /// written again with the waiting settlements alone.
    capacity: usize,
    lines: usize,
    /// True if the last line could not be written, and may be there in part.
    torn: bool,
    /// True if the file holds settlements that this process has given up, so that the file must stay.
    aside: bool,
}

impl Journal {
    /// Opens a journal in `folder`, with the settlements that dead processes left there. The parent directory must
    /// exist.
    pub(crate) fn open(folder: &Path, capacity: usize) -> io::Result<Self> {
        private_dir::make_inside(folder)?;
        let path = folder.join(format!("{}.{EXTENSION}", uuid::Uuid::now_v7().simple()));
        let file = create(&path)?;
        let mut journal = Self {
            path,
            file,
            waiting: BTreeMap::new(),
            capacity: capacity.max(MIN_CAPACITY),
            lines: 0,
            torn: false,
            aside: false,
        };
        for left in fs::read_dir(folder)? {
            let left = left?.path();
            if let Err(error) = journal.take_over(&left) {
                // The next gateway attempts this again; this one starts without them.
                tracing::error!(file = %left.display(), %error, "settlements that another gateway left cannot be read");
            }
        }
        Ok(journal)
    }

    /// Returns the number of waiting settlements.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a settlement to the waiting ones.
    pub(crate) fn add(&mut self, settlement: Settlement) {
        let written = self.write(&settlement);
        if let Err(error) = &written
            && !self.torn
        {
            tracing::error!(%error, "settlements cannot be kept on disk; they wait in memory alone");
        }
        self.torn = written.is_err();
        self.waiting.insert(settlement.id, settlement);
    }

    /// Returns the first `count` waiting settlements after `last`.
    pub(crate) fn after(&self, last: Option<PermitId>, count: usize) -> Vec<Settlement> {
        let later = self.waiting.iter().filter(|(id, _)| last.is_none_or(|last| **id > last));
        later.take(count).map(|(_, settlement)| settlement.clone()).collect()
    }

    /// Removes a settlement that the store has taken.
    pub(crate) fn remove(&mut self, id: PermitId) {
        if self.waiting.remove(&id).is_some() && self.is_removable() && self.file.set_len(0).is_ok() {
            self.lines = 0;
        }
    }

    /// Gives up a settlement in this process. It stays in the file for the next process.
    pub(crate) fn set_aside(&mut self, id: PermitId) {
        self.aside |= self.waiting.remove(&id).is_some();
    }

    fn is_removable(&self) -> bool {
        self.waiting.is_empty() && !self.aside
    }

    fn write(&mut self, settlement: &Settlement) -> io::Result<()> {
        if self.lines > 2 * self.capacity.max(self.waiting.len()) && !self.aside {
            self.rewrite()?;
        }
        // End a partial line first, so that it does not spoil the next one.
        let begin = if self.torn { "\n" } else { "" };
        let line = format!("{begin}{}\n", serde_json::to_string(settlement).map_err(io::Error::other)?);
        self.lines += 1;
        self.file.write_all(line.as_bytes())
    }

    /// Writes the file again with the waiting settlements alone.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut file = create(&self.path)?;
        self.lines = 0;
        for settlement in self.waiting.values() {
            let line = serde_json::to_string(settlement).map_err(io::Error::other)? + "\n";
            file.write_all(line.as_bytes())?;
            self.lines += 1;
        }
        self.file = file;
        Ok(())
    }

    /// Takes over the settlements of a process that has died.
    fn take_over(&mut self, path: &Path) -> io::Result<()> {
        if *path == self.path || path.extension().is_none_or(|ending| ending != EXTENSION) {
            return Ok(());
        }
        let file = match private_dir::open(path, OpenOptions::new().read(true)) {
            Ok(file) if file.try_lock().is_ok() => file,
            // A gateway never leaves a link, or a file that others may write to.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // The process lives, or another has just taken over its file.
            _ => return Ok(()),
        };
        // The file is removed under its lock. If its name is gone by now, another gateway took it over between the
        // opening and the locking here; if a new file has the name, it is a living gateway's.
        if !fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|opened| opened.ino() == there.ino())) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        (&file).read_to_end(&mut bytes)?;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Ok(settlement) = serde_json::from_slice::<Settlement>(line) {
                // Of two lines of one settlement, the later one knows more.
                self.add(settlement);
            } else {
                // The line during which the gateway died.
                tracing::warn!("a settlement that was cut short when its gateway died is left out");
            }
        }
        if self.torn { Ok(()) } else { fs::remove_file(path) }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.is_removable() {
            // An empty file that stays does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a new file at `path` that is locked before other processes can find it by its name.
fn create(path: &Path) -> io::Result<File> {
    let unfinished = path.with_extension("new");
    // A failed attempt left this file, since no two processes have the same name.
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
    use crate::ledger::{Charge, Ending, Entry, RequestInfo};

    /// Returns some settlement.
    pub(crate) fn settlement() -> Settlement {
        let word = || "x".to_owned();
        Settlement::from_entry(Entry {
            id: PermitId::new(),
            at: UnixMs::new(1),
            subject: "alice".parse().unwrap(),
            info: RequestInfo {
                request_id: word(),
                plan: word(),
                model: word(),
                provider: word(),
                pieces: None,
                attempts: None,
            },
            audio: AudioMs::new(1),
            estimate: Charge::NONE,
            cost: Charge::NONE,
            usage: None,
            ending: Ending::Answered,
        })
    }

    /// Leaves the journal as a killed process does: unlocked, with all its lines.
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
                    journal.add(settlement);
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
                    journal.remove(id);
                }
            }
        }
    }

    #[test]
    fn a_file_is_begun_anew_with_what_waits_and_taken_over_as_it_was() {
        let folder = TempDir::new().unwrap();
        let mut journal = Journal::open(folder.path(), 1).unwrap();
        let waits = Settlement { tried: true, ..settlement() };
        journal.add(waits.clone());
        for _ in 0..2500 {
            let settlement = settlement();
            journal.add(settlement.clone());
            journal.remove(settlement.id);
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
        fs::write(folder.path().join(format!("left.{EXTENSION}")), format!("{line}\n")).unwrap();
        let next = Journal::open(folder.path(), 1).unwrap();
        assert_eq!(next.waiting.get(&left.id), Some(&Settlement { marked: false, ..left.clone() }));
    }
}
