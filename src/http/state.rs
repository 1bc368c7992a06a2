//! What the handlers of every worker share: what settings say, and what outlives them.

use std::future::{Ready, ready};
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use arc_swap::ArcSwap;

use super::concurrency::ConcurrencyLimit;
use super::connection::{OpenConnections, Tls};
use super::error::ApiError;
use super::fd_limit;
use crate::admission::{Admission, Limiter};
use crate::config::{Model, Settings};
use crate::identity::mint::Minter;
use crate::identity::Verifier;
use crate::intake;
use crate::telemetry::traces::Traces;
use crate::upstream::Providers;

/// The house by one set of settings. It never changes: other settings make another one, and requests that have begun in
/// this one end in it.
pub struct AppState {
    /// What was set.
    pub settings: Settings,
    /// Who is calling?
    pub verifier: Verifier,
    /// Signs the tokens of sessions, where there is a secret for it.
    pub(super) minter: Option<Minter>,
    /// May they?
    pub admission: Admission,
    /// What speaks TLS to those who connect, where the gateway does.
    pub(super) tls: Option<Tls>,
    /// Whom to ask, the sandbox among them where it stands in.
    pub providers: Arc<Providers>,
    /// What it has in common with those before and after it.
    pub grounds: Arc<SharedState>,
}

/// What outlives settings: what requests in flight hold, and the limits.
pub struct SharedState {
    /// Who keeps the limits.
    pub limiter: Arc<Limiter>,
    /// Where recordings are kept while they are here, and where they are measured.
    pub intake: intake::Shared,
    /// How many requests with audio are in flight.
    pub(super) places: ConcurrencyLimit,
    /// The connections of clients.
    pub connections: Arc<OpenConnections>,
    /// The connections of probes.
    pub ops_connections: Arc<OpenConnections>,
    /// Where traces go, if anywhere.
    pub traces: Option<Traces>,
    /// Set when the gateway stops taking requests.
    stopping: AtomicBool,
}

impl SharedState {
    /// The grounds by these settings, of which no other will change them.
    pub fn new(settings: &Settings, limiter: Limiter, traces: Option<Traces>) -> io::Result<Self> {
        let (intake, places) = (intake::Shared::new(&settings.intake)?, ConcurrencyLimit::new(&settings.server));
        let server = &settings.server;
        let in_flight = usize::try_from(places.taken().1).unwrap_or(usize::MAX);
        let max_connections = fd_limit::connections(server.max_connections, in_flight, server.worker_threads());
        let connections = OpenConnections::new(max_connections, server.max_connections_per_address);
        let ops_connections = OpenConnections::new(fd_limit::OPS_CONNECTIONS, None);
        let (limiter, stopping) = (Arc::new(limiter), AtomicBool::new(false));
        Ok(Self { limiter, intake, places, connections, ops_connections, traces, stopping })
    }

    /// Whether new requests should go to another replica.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// From now on [`SharedState::is_stopping`].
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

impl AppState {
    /// The house of these settings, `verifier` and `tls` among them. `providers` are those of the settings, or the sandbox
    /// in their place.
    pub fn new(
        settings: Settings,
        (verifier, tls): (Verifier, Option<Tls>),
        providers: Arc<Providers>,
        grounds: Arc<SharedState>,
    ) -> Self {
        let admission = Admission::new(&settings, Arc::clone(&grounds.limiter));
        grounds.intake.room.set_largest_recording(settings.intake.max_audio_bytes);
        let identity = &settings.identity;
        let minter = identity.secret.as_ref().and_then(|key| Minter::new(key, &identity.rules).ok());
        Self { settings, verifier, minter, admission, tls, providers, grounds }
    }

    /// Who serves `model`.
    pub(super) fn provider_name<'a>(&'a self, model: &'a Model) -> &'a str {
        self.providers.name_of(&model.provider)
    }
}

/// Where the house of the moment is found.
pub struct CurrentState(ArcSwap<AppState>);

impl CurrentState {
    /// It is `house` until further notice.
    pub fn of(house: AppState) -> Self {
        Self(ArcSwap::from_pointee(house))
    }

    /// The house as it is now. A request asks once, and stays with the answer.
    pub fn house(&self) -> Arc<AppState> {
        self.0.load_full()
    }

    /// From now on it is this one.
    pub fn replace(&self, house: AppState) {
        self.0.store(Arc::new(house));
    }
}

/// The house that a request has begun in.
#[derive(Clone)]
pub(super) struct PinnedState(pub(super) Arc<AppState>);

impl Deref for PinnedState {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

impl PinnedState {
    /// The one of the moment, remembered for the rest of the request.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        if let Some(house) = request.extensions().get::<Self>() {
            return Some(house.clone());
        }
        let house = Self(request.app_data::<Data<CurrentState>>()?.house());
        request.extensions_mut().insert(house.clone());
        Some(house)
    }
}

impl FromRequest for PinnedState {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).ok_or_else(ApiError::internal))
    }
}
