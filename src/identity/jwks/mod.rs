//! The keys that an issuer publishes (JWKS, RFC 7517 §5): fetched, kept, and fetched again.
//!
//! One task fetches, for all requests: at once, then at an interval, and when a request comes with a token of a key
//! that is not known yet. While the issuer cannot be asked, the keys of before stay good.

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

/// Where an issuer's keys are, and how often they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSettings {
    /// Where they are.
    pub source: KeySource,
    /// The longest time after which they are fetched again.
    pub refresh: Duration,
    /// The shortest time between two fetches, whoever asks for them.
    pub cooldown: Duration,
    /// How long a fetch may take, and with it a request that waits for one.
    pub timeout: Duration,
}

/// The keys of one issuer, as they are at the time. They outlive the [`Verifier`](super::Verifier)s that use them.
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
    /// `None` until they have been fetched for the first time.
    keys: Option<Arc<[Key]>>,
    /// When the last fetch began.
    asked_at: Option<Instant>,
    fetching: bool,
    /// How many fetches have ended, well or not.
    ended: u64,
    failing: bool,
}

impl JwksCache {
    /// Begins to fetch. To be called on a tokio runtime, which the task lives on until this is dropped. The keys of
    /// `before` are good until then if they are from the same place: it may be away just now.
    pub fn start(settings: JwksSettings, before: Option<&Self>) -> Result<Arc<Self>, reqwest::Error> {
        let client = fetch::client(&settings.source)?;
        let same = before.filter(|before| before.shared.settings.source == settings.source);
        let state = watch::Sender::new(State { keys: same.and_then(Self::keys), ..State::default() });
        let shared = Arc::new(Shared { settings, client, state, wanted: Notify::new() });
        let task = tokio::spawn(keep(Arc::clone(&shared)));
        Ok(Arc::new(Self { shared, task }))
    }

    /// Whether these are the keys that `settings` ask for, so that they can be kept when settings are read anew.
    pub fn is_for(&self, settings: &JwksSettings) -> bool {
        self.shared.settings == *settings
    }

    /// The keys, if they have ever been fetched.
    pub(super) fn keys(&self) -> Option<Arc<[Key]>> {
        self.shared.state.borrow().keys.clone()
    }

    /// Has the keys fetched again, if that was not done just now, and waits until it is done. All requests that ask
    /// for it at a time wait for the same fetch.
    pub(super) async fn look_again(&self) {
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
        // If it takes too long, the request is judged by what is known.
        let _ = timeout(self.shared.settings.timeout, state.wait_for(|state| state.ended > ended)).await;
    }

    /// When it makes sense to come back for keys that could not be fetched.
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
        write!(f, "Published({:?})", self.shared.settings.source)
    }
}

/// What the task does.
async fn keep(shared: Arc<Shared>) {
    loop {
        shared.state.send_modify(|state| (state.fetching, state.asked_at) = (true, Some(Instant::now())));
        let outcome = fetch::fetch(&shared.client, &shared.settings).await;
        let pause = shared.take(outcome);
        shared.pause(pause).await;
    }
}

impl Shared {
    /// Takes note of a fetch, and says after which time the next one is due.
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
                // Once for a row of failures: the issuer may be away for long.
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

    /// Waits until the next fetch is due, or wanted by a request and allowed.
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

/// The keys as a person tells them apart; one that fits several algorithms is there once for each.
fn names(keys: &[Key]) -> Vec<&str> {
    let mut names: Vec<_> = keys.iter().map(|key| key.kid.as_deref().unwrap_or_default()).collect();
    names.dedup();
    names
}
