//! How many files may be open, which is also how many connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What a request takes: its client's connection, its provider's, the file of its recording; and one more, since clients
/// stay connected between requests.
const EACH: u64 = 4;
/// What the gateway itself takes: listeners, threads, the store.
const OWN: u64 = 64;

/// As many of `wanted` requests as there may be files open for. The limit is raised as far as this process may: 1024 is
/// usual at first, for programs of another age. Where files run out, recordings cannot be kept and providers look broken.
pub(super) fn in_flight(wanted: usize) -> usize {
    let files = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, most)) if setrlimit(Resource::RLIMIT_NOFILE, most, most).is_ok() => most,
        Ok((now, _)) => now,
        Err(_) => return wanted,
    };
    let possible = usize::try_from(files.saturating_sub(OWN) / EACH).unwrap_or(usize::MAX).max(1);
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
