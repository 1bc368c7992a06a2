//! A job: a request whose body has been read and checked.

use super::Options;
use super::media::{Length, MediaInfo};
use super::spool::Spool;
use crate::domain::terms::Task;

/// A job: the task, its options and its audio.
#[derive(Debug, Clone)]
pub struct Job {
    /// The task: transcribe or translate.
    pub task: Task,
    /// The options of the request.
    pub options: Options,
    /// The recording.
    pub audio: Spool,
    /// The container, codec, length and size of the recording.
    pub media: MediaInfo,
    /// The total length of the known speakers' samples, which a provider processes too.
    pub references: Length,
}

impl Job {
    /// Returns the length that a provider would process, which is charged and held against limits.
    pub fn billed_length(&self) -> Length {
        self.media.length.plus(self.references)
    }

    /// Sets whether the client wants a stream, if the options leave that open.
    pub fn default_stream(&mut self, stream: bool) {
        self.options.stream.get_or_insert(stream);
    }

    /// Returns true if this complete job is the one that `early` claimed to be: same task, options, size and container,
    /// and no longer than claimed.
    pub fn matches_claim(&self, early: &Self) -> bool {
        let Self { task, options, audio, media, references: _ } = self;
        (task, options, audio.length(), media.container)
            == (&early.task, &early.options, early.audio.length(), early.media.container)
            && self.billed_length().upper_bound() <= early.billed_length().upper_bound()
            && media.length.upper_bound() <= early.media.length.upper_bound()
    }
}
