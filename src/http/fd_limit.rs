//! How many files may be open, and which share of them each use gets: requests, clients' connections, probes' connections,
//! and the gateway itself.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What a request takes: its client's connection, its provider's, the file of its recording; and one more, since clients
/// stay connected between requests.
const FILES_PER_REQUEST: u64 = 4;

/// What a request takes beside its client's connection: its provider's and the file of its recording.
const FILES_BESIDE_CLIENT: u64 = 2;

/// What the gateway itself takes, as requests are bounded: more than is needed.
const OWN_FILES: u64 = 64;

/// What the gateway itself takes, as connections are bounded: listeners, the store, logs; and each worker's thread, with the
/// connections that wait for it.
const SHARED_FILES: u64 = 24;
const FILES_PER_WORKER: u64 = 6;

/// The connections of the second listener, for probes and Prometheus.
pub(super) const OPS_CONNECTIONS: usize = 8;

/// As many of `wanted` requests as there may be files open for. The limit is raised as far as this process may: 1024 is
/// usual at first, for programs of another age. Where files run out, recordings cannot be kept and providers look broken.
pub(super) fn in_flight(wanted: usize) -> usize {
    let Some(files) = limit() else { return wanted };
    let possible = requests_within(files);
    if possible < wanted {
        tracing::warn!(
            files,
            wanted,
            possible,
            "server.max_in_flight is lowered, since so few files may be open (ulimit -n, LimitNOFILE)"
        );
    }
    wanted.min(possible)
}

/// As many of `wanted` connections of clients as there may be files open for, beside what `in_flight` requests and `workers`
/// take.
pub(super) fn connections(wanted: usize, in_flight: usize, workers: usize) -> usize {
    let Some(files) = limit() else { return wanted };
    let possible = connections_within(files, in_flight, workers);
    if possible < wanted {
        tracing::info!(
            files,
            wanted,
            possible,
            "server.max_connections is lowered, since so few files may be open (ulimit -n, LimitNOFILE)"
        );
    }
    wanted.min(possible)
}

/// The number of files that may be open, raised as far as that goes.
fn limit() -> Option<u64> {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() => Some(hard),
        Ok((soft, _)) => Some(soft),
        Err(_) => None,
    }
}

fn requests_within(files: u64) -> usize {
    usize::try_from(files.saturating_sub(OWN_FILES) / FILES_PER_REQUEST).unwrap_or(usize::MAX).max(1)
}

fn connections_within(files: u64, in_flight: usize, workers: usize) -> usize {
    let times = |count: usize, each: u64| u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(each);
    let requests = times(in_flight, FILES_BESIDE_CLIENT);
    let others = [SHARED_FILES, times(workers, FILES_PER_WORKER), times(OPS_CONNECTIONS, 1), requests];
    let left = others.into_iter().fold(files, u64::saturating_sub);
    usize::try_from(left).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_shares_are_no_more_than_there_are_and_each_request_has_a_connection(
            files in 128..2_000_000_u64,
            wanted in 1..100_000_usize,
        ) {
            let in_flight = wanted.min(requests_within(files));
            let connections = connections_within(files, in_flight, 4);
            let taken = OPS_CONNECTIONS + connections + 2 * in_flight;
            prop_assert!(SHARED_FILES + 4 * FILES_PER_WORKER + u64::try_from(taken).unwrap() <= files);
            prop_assert!(connections >= in_flight, "{connections} connections, {in_flight} requests");
        }
    }
}
