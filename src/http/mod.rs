//! What came over the wire, what goes back? Routes, headers, errors, and the page that describes them.
//!
//! This room may know every other. A handler here is the path of a request in its seven words, and nothing more.

mod audio;
mod connection;
mod deadline;
mod docs;
mod error;
mod expect;
mod gate;
mod health;
mod models;
mod order;
mod places;
mod rates;
mod record;
mod routes;
mod usage;

pub use connection::{Limits, Line};
pub use expect::before_continue;
pub use record::record_requests;
pub use routes::{OPENAPI, ROUTES, operational, public};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::admission::{Admission, Limiter};
use crate::config::{Model, Settings};
use crate::identity::Verifier;
use crate::intake::Room;
use crate::upstream::Providers;
use places::Places;

/// What the handlers of every worker share.
pub struct House {
    /// What was set.
    pub settings: Settings,
    /// Who is calling?
    pub verifier: Verifier,
    /// May they?
    pub admission: Admission,
    /// Whom to ask, the sandbox among them where it stands in.
    pub providers: Arc<Providers>,
    /// Where recordings are kept while they are here.
    pub room: Arc<Room>,
    /// How many requests with audio are in flight.
    places: Places,
    /// Set when the gateway stops taking requests.
    stopping: AtomicBool,
}

impl House {
    /// The house of these settings. `providers` are those of the settings, or the sandbox in their place.
    pub fn new(settings: Settings, verifier: Verifier, limiter: Limiter, providers: Arc<Providers>) -> Self {
        let admission = Admission::new(&settings, limiter);
        let (room, places) = (Room::new(&settings.intake), Places::new(&settings.server));
        Self { settings, verifier, admission, providers, room, places, stopping: AtomicBool::new(false) }
    }

    /// Whether new requests should go to another replica.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// From now on [`House::is_stopping`].
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Who serves `model`.
    fn provider_name<'a>(&'a self, model: &'a Model) -> &'a str {
        self.providers.name_of(&model.provider)
    }
}

/// A header of the provider's answer as one of ours: the client and the server side each have their own types.
fn answer_header(
    name: &reqwest::header::HeaderName,
    value: &reqwest::header::HeaderValue,
) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
}
