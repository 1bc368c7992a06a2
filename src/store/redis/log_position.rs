//! The position up to which the log of revocations was read.

/// The position of a log of which nothing has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogPosition(
    /// The last entry that was read; `None`: none yet.
    pub(super) Option<String>,
);
