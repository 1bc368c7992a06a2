//! The recording on its way into the spool, and the offer to forward it while it is arriving.

use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use super::media;
use super::media::{Claim, MediaInfo};
use super::references;
use super::spool::quota::SpoolQuota;
use super::spool::SpoolWriter;
use super::{IntakeError, Job, Options, Spool};
use crate::config;
use crate::domain::Length;
use crate::domain::terms::Task;
use crate::fair_share::ShareKey;

/// A smaller recording is whole before much could be gained.
const WORTH_IT: u64 = 256 * 1024;
/// So much of a recording tells what it is, as a rule.
const BEGINNING: usize = 16 * 1024;

/// What the three body forms share while they are taken apart.
pub(super) struct IntakeContext<'a> {
    pub(super) task: Task,
    pub(super) settings: &'a config::Intake,
    pub(super) room: &'a Arc<SpoolQuota>,
    /// Whose room the recording takes.
    pub(super) key: ShareKey,
    /// The size of the whole body, where the client told it.
    pub(super) declared: Option<u64>,
    pub(super) early: Early,
}

/// A place for a job whose recording is still arriving, and for what it claims to be.
#[derive(Clone, Default)]
pub(super) struct Early(Rc<RefCell<Slot>>);

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Offered(Box<(Job, Claim)>),
    /// It has been taken, or there will be none.
    Closed,
}

impl Early {
    pub(super) fn take(&self) -> Option<(Job, Claim)> {
        match self.0.replace(Slot::Closed) {
            Slot::Offered(offer) => Some(*offer),
            Slot::Empty => {
                self.0.replace(Slot::Empty);
                None
            }
            Slot::Closed => None,
        }
    }
}

impl IntakeContext<'_> {
    /// Offers a job of what is known, once its recording has begun. Whether it is so will be seen when the whole is there.
    pub(super) fn offer(&self, fields: impl FnOnce() -> Vec<(String, String)>, recording: &Recording) {
        let mut slot = self.early.0.borrow_mut();
        let Some(expected) = recording.expected.filter(|&bytes| bytes >= WORTH_IT && self.settings.overlap) else {
            return;
        };
        if !matches!(*slot, Slot::Empty) || recording.spool.shown() < BEGINNING.try_into().unwrap_or(u64::MAX) {
            return;
        }
        let mut head = [0; BEGINNING];
        // What came last in small pieces may not be there yet.
        if recording.spool.so_far().source().read_exact(&mut head).is_err() {
            return;
        }
        *slot = Slot::Closed;
        let Some(claim) = media::claim(&head, expected) else { return };
        // What is wrong now may be right with a field that is still to come.
        let Ok(options) = Options::parse(fields()) else { return };
        // Samples of speakers are measured with the whole.
        if !options.speaker_references.is_empty() {
            return;
        }
        let media = MediaInfo {
            container: claim.container,
            codec: None,
            length: Length::AtMost(claim.length),
            bytes: expected,
        };
        let audio = recording.spool.early(expected);
        let references = references::NONE;
        *slot = Slot::Offered(Box::new((Job { task: self.task, options, audio, media, references }, claim)));
    }
}

/// A spool that is held to the largest recording.
pub(super) struct Recording {
    spool: SpoolWriter,
    expected: Option<u64>,
    allowed: u64,
}

impl Recording {
    /// `expected`: how large it will be, as far as that can be told.
    pub(super) fn new(table: &IntakeContext<'_>, expected: Option<u64>) -> Result<Self, IntakeError> {
        let allowed = table.settings.max_audio_bytes;
        if expected.is_some_and(|expected| expected > allowed) {
            return Self::too_large(allowed);
        }
        let spool = SpoolWriter::new(table.room, table.key, expected).map_err(IntakeError::NoRoom)?;
        Ok(Self { spool, expected, allowed })
    }

    pub(super) async fn append(&mut self, chunk: &[u8]) -> Result<(), IntakeError> {
        let more = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if self.spool.length().saturating_add(more) > self.allowed {
            return Self::too_large(self.allowed);
        }
        Ok(self.spool.append(chunk).await?)
    }

    pub(super) fn finish(self) -> Spool {
        self.spool.finish()
    }

    fn too_large<T>(allowed: u64) -> Result<T, IntakeError> {
        Err(IntakeError::TooLarge { allowed })
    }
}
