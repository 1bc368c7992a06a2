//! The errors and the availability of a store.

/// An error of a store that did not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer in time. It may still do the work.
    #[error("it did not answer in time")]
    Timeout,
    /// The store is known to be down, and was not asked.
    #[error("it is away")]
    Unavailable,
    /// The store cannot be reached, or refuses every request.
    #[error("{0}")]
    Io(String),
    /// The store refuses this request alone.
    #[error("{0}")]
    Rejected(String),
    /// The data in the store cannot be parsed.
    #[error("it holds what the gateway did not write there: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Every [`StoreError::reason`].
    pub const REASONS: [&'static str; 5] = ["slow", "away", "failed", "refused", "garbled"];

    /// Returns the error as one word.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Timeout => "slow",
            Self::Unavailable => "away",
            Self::Io(_) => "failed",
            Self::Rejected(_) => "refused",
            Self::Corrupt(_) => "garbled",
        }
    }

    /// Returns true if the store may have done the work, or may still do it.
    pub const fn may_have_been_done(&self) -> bool {
        !matches!(self, Self::Unavailable)
    }

    pub(super) fn corrupt(error: impl std::error::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// The availability of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// The whole store is available.
    Up,
    /// Some nodes of a cluster are down, and with them the limits of some callers.
    Degraded,
    /// The whole store is down.
    Down,
}
