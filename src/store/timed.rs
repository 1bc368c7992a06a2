//! The metrics of the store's answer times and failures.

use std::time::Instant;

use super::error::StoreError;
use crate::telemetry::metrics::{Label, STORE_FAILURES, STORE_SECONDS};

/// An operation of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`Store::admit`](super::Store::admit)
    Admit,
    /// [`Store::revise`](super::Store::revise)
    Revise,
    /// [`Store::settle`](super::Store::settle)
    Settle,
    /// [`Store::statement`](super::Store::statement), and the check of a token outside of admission.
    Query,
    /// The opening and the ending of sessions, and the revocation of tokens.
    Session,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 5] = [Self::Admit, Self::Revise, Self::Settle, Self::Query, Self::Session];

    /// Returns the operation as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Revise => "revise",
            Self::Settle => "settle",
            Self::Query => "query",
            Self::Session => "session",
        }
    }
}

/// Measures the time until `answer`. A store that is known to be away is not asked, so that takes no time.
pub(super) async fn timed<T>(
    operation: Operation,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let asked = Instant::now();
    let answer = answer.await;
    let label = Label::fixed(operation.as_str());
    if !matches!(answer, Err(StoreError::Unavailable)) {
        STORE_SECONDS.record([label], asked.elapsed());
    }
    if let Err(failure) = &answer {
        STORE_FAILURES.add([label, Label::fixed(failure.reason())], 1);
    }
    answer
}
