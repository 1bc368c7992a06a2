//! The limit on open files, divided among requests, clients' connections, probes' connections and the gateway itself.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::{LiveCapacity, Server};

/// The files of one request: the client's connection, the provider's connection and the recording; and one more, since
/// clients stay connected between requests.
const FILES_PER_REQUEST: u64 = 4;

/// The files of one request besides its client's connection: the provider's connection and the recording.
const FILES_BESIDE_CLIENT: u64 = 2;

/// The files of one live session: its open turn, its events, and those of another session that is over. What is short needs
/// none: 16 KiB of events, two seconds of a turn.
const FILES_PER_LIVE_SESSION: u64 = 3;
/// The part of all files that live sessions may have: a quarter.
const LIVE_PART: u64 = 4;

/// The files reserved for the gateway itself in the limit on requests; deliberately generous.
const OWN_FILES: u64 = 64;

/// The files reserved for the gateway itself in the limit on connections: listeners, the store and logs. Each worker's
/// thread, with the connections that wait for it, adds [`FILES_PER_WORKER`].
const SHARED_FILES: u64 = 24;
const FILES_PER_WORKER: u64 = 6;

/// The maximum number of connections to the operational listener, for probes and Prometheus.
pub(super) const OPS_CONNECTIONS: usize = 8;

/// The shares that requests and connections have in the limit on open files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// The requests with audio that may be in flight.
    pub(super) in_flight: usize,
    /// The open connections of clients.
    pub(super) connections: usize,
    /// The live sessions that may be open.
    pub(super) live: usize,
}

impl Shares {
    /// Returns what the settings allow, or less if the limit on open files allows less.
    pub(super) fn of(server: &Server, live: LiveCapacity) -> Self {
        let files = limit().unwrap_or(u64::MAX);
        let live = live_within(files, live.max_sessions);
        let files = files.saturating_sub(files_of_live(live));
        let in_flight = in_flight(files, server.max_in_flight);
        let connections = connections(files, server.max_connections, in_flight, server.worker_threads());
        Self { in_flight, connections, live }
    }
}

/// Returns `wanted` requests, or fewer if the limit on open files allows fewer. Raises that limit as far as the process
/// may, since the usual default of 1024 is too low for a server. Without file descriptors, recordings cannot be kept
/// and providers look broken.
fn in_flight(files: u64, wanted: usize) -> usize {
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

/// Returns `wanted` client connections, or fewer if the limit on open files, less the files of `in_flight` requests and
/// `workers`, allows fewer.
fn connections(files: u64, wanted: usize, in_flight: usize, workers: usize) -> usize {
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

/// Returns the limit on open files, after raising it as far as possible.
fn limit() -> Option<u64> {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() => Some(hard),
        Ok((soft, _)) => Some(soft),
        Err(_) => None,
    }
}

/// Returns `wanted` live sessions, or fewer if their part of the files allows fewer.
fn live_within(files: u64, wanted: usize) -> usize {
    let possible = usize::try_from(files / LIVE_PART / FILES_PER_LIVE_SESSION).unwrap_or(usize::MAX).max(1);
    if possible < wanted {
        tracing::info!(
            files,
            wanted,
            possible,
            "live.max_sessions is lowered, since so few files may be open (ulimit -n, LimitNOFILE)"
        );
    }
    wanted.min(possible)
}

fn files_of_live(sessions: usize) -> u64 {
    u64::try_from(sessions).unwrap_or(u64::MAX).saturating_mul(FILES_PER_LIVE_SESSION)
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
