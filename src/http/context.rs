//! The context of one request: the state that it began with, its record, its caller, and what it holds until its answer
//! is sent.

use std::cell::RefCell;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::concurrency::InFlightGuard;
use super::error::ApiError;
use super::headers::common::CommonHeaders;
use super::middleware::https::RequestScheme;
use super::preflight::{self, Preflight};
use super::state::AppState;
use crate::domain::terms::Task;
use crate::exchange::Record;
use crate::identity::Caller;
use crate::telemetry::traces::Trace;

/// The context of one request. The middleware creates it, handlers extract it, and the body of the answer holds it
/// until the answer is sent: then the record is written, and the place is free.
#[derive(Clone)]
pub(super) struct RequestContext(Rc<Inner>);

struct Inner {
    // The fields are dropped in this order: the record is written first.
    record: Record,
    held: RefCell<Held>,
    scheme: RequestScheme,
    state: Arc<AppState>,
}

/// The additions of the steps of a request to its context.
#[derive(Default)]
struct Held {
    /// The place among the requests in flight.
    place: Option<InFlightGuard>,
    /// The caller whose remaining rates the answer states.
    rate_limited: Option<Caller>,
    /// A preflight that the request passed before its `100 Continue`.
    preflight: Option<Preflight>,
}

impl RequestContext {
    /// Creates the context of a request. `preflight` is the one that it has passed already, if it has.
    pub(super) fn new(
        state: Arc<AppState>,
        record: Record,
        scheme: RequestScheme,
        preflight: Option<Preflight>,
    ) -> Self {
        let held = RefCell::new(Held { preflight, ..Held::default() });
        Self(Rc::new(Inner { record, held, scheme, state }))
    }

    /// Returns the state that the request began with. A reload does not change it.
    pub(super) fn state(&self) -> &AppState {
        &self.0.state
    }

    /// Returns the record of the request.
    pub(super) fn record(&self) -> &Record {
        &self.0.record
    }

    /// Returns the trace of the request.
    pub(super) fn trace(&self) -> Trace {
        self.0.record.trace()
    }

    /// Refuses plain HTTP where the settings require HTTPS.
    pub(super) fn check_scheme(&self, path: &str) -> Result<(), ApiError> {
        self.0.scheme.check(&self.0.state.settings.fixed.server, path)
    }

    /// Verifies the token and records the caller.
    pub(super) async fn identify(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let caller = preflight::identify(self.state(), headers, &self.trace()).await?;
        self.0.record.caller(&caller);
        Ok(caller)
    }

    /// Returns the preflight that the request passed before its `100 Continue`, or checks its head now. Records the
    /// caller, also that of a refused request.
    pub(super) async fn preflight(&self, task: Task, headers: &HeaderMap) -> Result<Preflight, ApiError> {
        let passed = self.0.held.borrow_mut().preflight.take().filter(|passed| passed.task == task);
        let checked = match passed {
            Some(passed) => Ok(passed),
            None => preflight::check(self.state(), task, headers, &self.trace()).await,
        };
        let caller = checked.as_ref().map_or_else(|refused| refused.caller.as_ref(), |passed| Some(&passed.caller));
        if let Some(caller) = caller {
            self.0.record.caller(caller);
            self.report_rates_of(caller);
        }
        checked.map_err(|refused| refused.error)
    }

    /// Makes the answer state the caller's remaining rates.
    pub(super) fn report_rates_of(&self, caller: &Caller) {
        self.0.held.borrow_mut().rate_limited = Some(caller.clone());
    }

    /// Keeps a place until the answer is sent.
    pub(super) fn hold_place(&self, place: InFlightGuard) {
        self.0.held.borrow_mut().place = Some(place);
    }

    /// Writes the headers that every answer has.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        let (held, Inner { record, scheme, state, .. }) = (self.0.held.borrow(), &*self.0);
        let caller = held.rate_limited.as_ref();
        CommonHeaders { state, scheme: *scheme, record, caller }.write(headers);
    }
}

impl FromRequest for RequestContext {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let context = request.extensions().get::<Self>().cloned();
        ready(context.ok_or_else(ApiError::internal))
    }
}
