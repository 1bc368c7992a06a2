//! The counts of attempts at each provider and of its failures.

use super::error::UpstreamError;
use crate::telemetry::metrics::{FAILURES, Label, TRIES};

/// Starts the counts of a provider at zero, so that its first failure of a kind shows as an increase.
pub(super) fn start_at_zero(provider: &str) {
    TRIES.add([Label::configured(provider)], 0);
    for reason in UpstreamError::REASONS {
        FAILURES.add([Label::configured(provider), Label::fixed(reason)], 0);
    }
}

/// Counts an attempt at a provider.
pub(super) fn count_attempt(provider: &str) {
    TRIES.add([Label::configured(provider)], 1);
}

/// Counts a failure of a provider. A recording that was lost on the way to the provider is not its failure.
pub(super) fn count_failure(provider: &str, error: &UpstreamError) {
    if !matches!(error, UpstreamError::RecordingLost) {
        FAILURES.add([Label::configured(provider), Label::fixed(error.reason())], 1);
    }
}

/// Counts a stream that broke off in a way that only its reader can tell.
pub(crate) fn count_stream_failure(provider: &str, error: &UpstreamError) {
    count_failure(provider, error);
}
