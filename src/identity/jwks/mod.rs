//! The keys that an issuer publishes (JWKS, RFC 7517 §5): fetched, kept and refreshed.
//!
//! One task fetches for all requests: at once, then at an interval, and when a request brings a token of an unknown key.
//! While the issuer cannot be reached, the previous keys stay valid.

mod address;
mod fetch;
mod read;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub use address::{IssuerUrl, IssuerUrlError};
pub use fetch::{FetchError, KeySource, try_out};
pub(super) use read::{Reading, read};

use super::keys::Key;
use fetch::Fetched;

/// The source of an issuer's keys, and the times between fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSettings {
    /// The source.
    pub source: KeySource,
    /// The longest time between two fetches.
    pub refresh: Duration,
    /// The shortest time between two fetches, whatever causes them.
    pub cooldown: Duration,
    /// The longest time of a fetch, and of a request that waits for one.
    pub timeout: Duration,
}

/// The current keys of one issuer. They outlive the [`Verifier`](super::Verifier)s that use them.
pub struct JwksCache {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    settings: JwksSettings,
    client: reqwest::Client,
    state: watch::Sender<State>,
    wanted: Notify,
}

#[derive(Default)]
struct State {
    /// The keys; `None` before the first successful fetch.
    keys: Option<Arc<[Key]>>,
    /// The start of the last fetch.
    asked_at: Option<Instant>,
    fetching: bool,
    /// The number of fetches that have ended, with or without success.
    ended: u64,
    failing: bool,
}

impl JwksCache {
    /// Starts the task that fetches, which needs a tokio runtime and ends when this value is dropped. Until the first
    /// fetch succeeds, the keys of `before` stay valid if they are from the same source: it may be down just now.
    pub fn start(settings: JwksSettings, before: Option<&Self>) -> Result<Arc<Self>, reqwest::Error> {
        let client = fetch::client(&settings.source)?;
        let same = before.filter(|before| before.shared.settings.source == settings.source);
        let state = watch::Sender::new(State { keys: same.and_then(Self::keys), ..State::default() });
        let shared = Arc::new(Shared { settings, client, state, wanted: Notify::new() });
        let task = tokio::spawn(keep(Arc::clone(&shared)));
        Ok(Arc::new(Self { shared, task }))
    }

    /// True if `settings` ask for these keys, so that a reload of the settings can keep them.
    pub fn is_for(&self, settings: &JwksSettings) -> bool {
        self.shared.settings == *settings
    }

    /// Returns the keys, if a fetch ever succeeded.
    pub(super) fn keys(&self) -> Option<Arc<[Key]>> {
        self.shared.state.borrow().keys.clone()
    }

    /// Fetches the keys again, unless that happened just now, and waits for the result. All requests that wait at the
    /// same time share one fetch.
    pub(super) async fn refresh(&self) {
        let mut state = self.shared.state.subscribe();
        let (ended, fetching) = {
            let now = state.borrow();
            (now.ended, now.fetching)
        };
        if !fetching {
            if !self.shared.may_ask() {
                return;
            }
            self.shared.wanted.notify_one();
        }
        // After a timeout the request is judged by the known keys.
        let _ = timeout(self.shared.settings.timeout, state.wait_for(|state| state.ended > ended)).await;
    }

    /// Returns the time after which a new fetch is possible.
    pub(super) fn next_try(&self) -> Duration {
        self.shared.cooldown_left().max(Duration::from_secs(1))
    }
}

impl Drop for JwksCache {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksCache({:?})", self.shared.settings.source)
    }
}

/// Fetches the keys for as long as the task runs.
async fn keep(shared: Arc<Shared>) {
    loop {
        shared.state.send_modify(|state| (state.fetching, state.asked_at) = (true, Some(Instant::now())));
        let outcome = fetch::fetch(&shared.client, &shared.settings).await;
        let pause = shared.take(outcome);
        shared.pause(pause).await;
    }
}

impl Shared {
    /// Records the result of a fetch, and returns the time until the next one is due.
    fn take(&self, outcome: Result<Fetched, FetchError>) -> Duration {
        let JwksSettings { source, refresh, cooldown, .. } = &self.settings;
        let (before, failing) = {
            let state = self.state.borrow();
            (state.keys.clone(), state.failing)
        };
        let (keys, pause) = match outcome {
            Ok(Fetched { reading, max_age }) => {
                for (kid, fault) in &reading.skipped {
                    tracing::debug!(%source, kid, %fault, "a key of the issuer is not used");
                }
                let keys: Arc<[Key]> = reading.keys.into();
                if keys.is_empty() {
                    tracing::warn!(%source, "the issuer publishes no key that can be used");
                } else if failing || before.is_none_or(|before| names(&before) != names(&keys)) {
                    tracing::info!(%source, keys = ?names(&keys), "the issuer's keys were fetched");
                }
                (Some(keys), max_age.unwrap_or(*refresh).clamp(*cooldown, (*refresh).max(*cooldown)))
            }
            Err(error) => {
                // Warn once for a series of failures: the issuer may be down for a long time.
                if failing {
                    tracing::debug!(%source, %error, "the issuer's keys still cannot be fetched");
                } else if before.is_some() {
                    tracing::warn!(%source, %error, "the issuer's keys cannot be fetched; those of before are kept");
                } else {
                    tracing::warn!(%source, %error, "the issuer's keys cannot be fetched; its tokens are refused");
                }
                (None, *cooldown)
            }
        };
        self.state.send_modify(|state| {
            state.failing = keys.is_none();
            state.keys = keys.or(state.keys.take());
            state.fetching = false;
            state.ended = state.ended.saturating_add(1);
        });
        pause
    }

    /// Waits until the next fetch is due, or a request wants one and it is allowed.
    async fn pause(&self, pause: Duration) {
        let mut over = pin!(sleep(pause));
        loop {
            tokio::select! {
                () = &mut over => return,
                () = self.wanted.notified() => if self.may_ask() { return },
            }
        }
    }

    fn may_ask(&self) -> bool {
        self.cooldown_left().is_zero()
    }

    fn cooldown_left(&self) -> Duration {
        let asked_at = self.state.borrow().asked_at;
        asked_at.map_or(Duration::ZERO, |at| self.settings.cooldown.saturating_sub(at.elapsed()))
    }
}

/// Lists the names of the keys for the log; a key that fits several algorithms is named once.
fn names(keys: &[Key]) -> Vec<&str> {
    let mut names: Vec<_> = keys.iter().map(|key| key.kid.as_deref().unwrap_or_default()).collect();
    names.dedup();
    names
}
