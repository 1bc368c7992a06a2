//! State shared by the handlers of every worker: the part that follows the settings, and the part that outlives them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;

use super::concurrency::ConcurrencyLimit;
use super::handlers::operator::cache::OperatorCache;
use crate::admission::{Admission, Limiter};
use crate::config::{Model, Settings};
use crate::identity::{Minter, Verifier};
use crate::intake;
use crate::live::LiveSessions;
use crate::sandbox::SandboxProvider;
use crate::sessions::Sessions;
use crate::speech::SpeechPool;
use crate::telemetry::metrics::Page;
use crate::telemetry::traces::Traces;
use crate::upstream::Providers;

/// The state built from one set of settings. A reload replaces it as a whole and never changes it; requests that are
/// already running finish with the old one.
pub struct AppState {
    /// The settings in force.
    pub settings: Settings,
    /// The verifier of callers' tokens.
    pub verifier: Verifier,
    /// The signer of session tokens; `None` without a secret to sign with.
    pub(super) minter: Option<Minter>,
    /// The checks of plans, limits and budgets.
    pub admission: Arc<Admission>,
    /// The sessions of makers.
    pub(super) sessions: Sessions,
    /// The configured providers, or the sandbox in place of OpenAI.
    pub providers: Arc<Providers>,
    /// State that a reload keeps.
    pub shared: Arc<SharedState>,
}

/// A function that writes the metrics of connections, which this module does not know.
pub type WriteMetrics = Box<dyn Fn(&mut Page) + Send + Sync>;

/// State that outlives a reload: the limits, and everything that requests in flight hold.
pub struct SharedState {
    /// The keeper of rate limits and budgets.
    pub limiter: Arc<Limiter>,
    /// The spool of recordings, and the threads that measure them.
    pub intake: intake::Shared,
    /// The threads that decode, cut and encode recordings.
    pub(super) speech: Arc<SpeechPool>,
    /// The live sessions.
    pub(super) live: Arc<LiveSessions>,
    /// The limit on requests with audio in flight.
    pub(super) concurrency: ConcurrencyLimit,
    /// Writes the metrics of what serves this module.
    pub(super) write_metrics: WriteMetrics,
    /// The sandbox that stands in for OpenAI, if it does.
    pub sandbox: Option<SandboxProvider>,
    /// The exporter of traces, if traces are configured.
    pub traces: Option<Traces>,
    /// The usage that the operator's page last read from the store.
    pub(super) operator_cache: OperatorCache,
    /// The time of the start.
    pub(super) started: Instant,
    /// True once the gateway no longer takes requests.
    stopping: AtomicBool,
}

impl SharedState {
    /// Creates the state from the settings at the start, with `max_in_flight` places for requests with audio. Later
    /// settings do not change it.
    pub fn new(
        settings: &Settings,
        max_in_flight: usize,
        limiter: Limiter,
        traces: Option<Traces>,
        sandbox: Option<SandboxProvider>,
        write_metrics: WriteMetrics,
    ) -> io::Result<Self> {
        let concurrency = ConcurrencyLimit::new(&settings.fixed.server, max_in_flight);
        let intake = intake::Shared::new(&settings.fixed.spool, settings.intake.max_audio_bytes)?;
        let speech = Arc::new(SpeechPool::new(settings.fixed.speech_pool.threads)?);
        let (limiter, stopping) = (Arc::new(limiter), AtomicBool::new(false));
        let (operator_cache, started) = (OperatorCache::default(), Instant::now());
        Ok(Self {
            limiter,
            intake,
            speech,
            live: Arc::default(),
            concurrency,
            write_metrics,
            sandbox,
            traces,
            operator_cache,
            started,
            stopping,
        })
    }

    /// Returns true if new requests should go to another replica.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Marks the gateway as stopping; see [`SharedState::is_stopping`].
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

impl AppState {
    /// Builds the state from these settings, with their `verifier`. `providers` are those of the settings, or
    /// the sandbox in their place.
    pub fn new(settings: Settings, verifier: Verifier, providers: Arc<Providers>, shared: Arc<SharedState>) -> Self {
        let admission = Arc::new(Admission::new(&settings, Arc::clone(&shared.limiter)));
        let sessions = shared.limiter.sessions(&settings);
        shared.intake.quota.set_largest_recording(settings.intake.max_audio_bytes);
        let identity = &settings.identity;
        let minter = identity.secret.as_ref().and_then(|key| Minter::new(key, &identity.rules).ok());
        Self { settings, verifier, minter, admission, sessions, providers, shared }
    }

    /// Returns the name of the provider that serves `model`.
    pub(super) fn provider_name<'a>(&'a self, model: &'a Model) -> &'a str {
        self.providers.name_of(&model.provider)
    }
}

/// The holder of the state in force.
pub struct CurrentState(ArcSwap<AppState>);

impl CurrentState {
    /// Creates the holder with its first state.
    pub fn new(state: AppState) -> Self {
        Self(ArcSwap::from_pointee(state))
    }

    /// Returns the state in force. A request calls this once and keeps the result.
    pub fn current(&self) -> Arc<AppState> {
        self.0.load_full()
    }

    /// Replaces the state in force.
    pub fn replace(&self, state: AppState) {
        self.0.store(Arc::new(state));
    }
}
