//! The recording on its way into the spool, and its offer for early forwarding.

use std::io::Read;
use std::sync::Arc;

use super::early::{EarlyJob, EarlySlot};
use super::media::MediaInfo;
use super::spool::{HeldSpool, SpoolQuota, SpoolWriter};
use super::{BodyForm, IntakeError, Job, Options, media};
use crate::config;
use crate::domain::terms::Task;
use crate::domain::{AudioMs, Length};
use crate::fair_share::ShareKey;

/// The minimum size in bytes for early forwarding: a smaller recording is complete before the gain matters.
const MIN_EARLY_BYTES: u64 = 256 * 1024;
/// The number of bytes at the start that usually identify a format.
const HEAD_BYTES: usize = 16 * 1024;

/// The length of the samples of known speakers when there are none.
pub(super) const NO_REFERENCES: Length = Length::Measured(AudioMs::new(0));

/// The data that the three body forms share while they are read.
pub(super) struct IntakeContext<'a> {
    pub(super) task: Task,
    pub(super) settings: &'a config::Intake,
    pub(super) quota: &'a Arc<SpoolQuota>,
    /// The caller and session whose share of the spool quota the recording takes.
    pub(super) key: ShareKey,
    /// The size of the whole body, if the client announced it.
    pub(super) declared: Option<u64>,
    pub(super) early: EarlySlot,
}

impl IntakeContext<'_> {
    /// Publishes a job from the data known so far, once its recording has begun. The complete job later confirms or
    /// refutes it.
    pub(super) fn publish_early(
        &self,
        form: BodyForm,
        fields: impl FnOnce() -> Vec<(String, String)>,
        recording: &Recording,
    ) {
        let Some(expected) = recording.expected.filter(|&bytes| bytes >= MIN_EARLY_BYTES && self.settings.overlap)
        else {
            return;
        };
        if !self.early.is_empty() || recording.spool.readable() < HEAD_BYTES.try_into().unwrap_or(u64::MAX) {
            return;
        }
        let mut head = [0; HEAD_BYTES];
        // The last small pieces may not be readable yet.
        if recording.spool.so_far().source().read_exact(&mut head).is_err() {
            return;
        }
        self.early.close();
        let Some(claim) = media::claim(&head, expected) else { return };
        // Options that are wrong now may be right with a field that is still to come.
        let Ok(options) = Options::parse(fields()) else { return };
        // Samples of speakers are measured only with the complete request.
        if !options.speaker_references.is_empty() {
            return;
        }
        let media = MediaInfo {
            container: claim.container,
            // Known only with the whole recording.
            is_fragmented: false,
            codec: None,
            length: Length::AtMost(claim.length),
            bytes: expected,
        };
        let audio = recording.spool.early(expected);
        let job = Job { task: self.task, options, audio, media, references: NO_REFERENCES };
        self.early.publish(EarlyJob { job, claim, is_raw: form == BodyForm::Raw });
    }
}

/// A spool with a limit on the size of the recording.
pub(super) struct Recording {
    spool: SpoolWriter,
    expected: Option<u64>,
    allowed: u64,
}

impl Recording {
    /// Creates the spool. `expected` is the recording's size, as far as it is known.
    pub(super) fn new(context: &IntakeContext<'_>, expected: Option<u64>) -> Result<Self, IntakeError> {
        let allowed = context.settings.max_audio_bytes;
        if expected.is_some_and(|expected| expected > allowed) {
            return Err(IntakeError::TooLarge { allowed, announced: expected });
        }
        let spool = SpoolWriter::new(context.quota, context.key, expected).map_err(IntakeError::NoRoom)?;
        Ok(Self { spool, expected, allowed })
    }

    pub(super) async fn append(&mut self, chunk: &[u8]) -> Result<(), IntakeError> {
        let more = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if self.spool.length().saturating_add(more) > self.allowed {
            return Err(IntakeError::TooLarge { allowed: self.allowed, announced: None });
        }
        Ok(self.spool.append(chunk).await?)
    }

    pub(super) fn finish(self) -> HeldSpool {
        self.spool.finish()
    }
}
