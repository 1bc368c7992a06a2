//! Admission: the caller's model, the model's abilities, and the caller's limits.
//!
//! Nothing is spent before admission. This module knows callers, jobs, plans and models, but no routes and no provider.
//!
//! # Layout
//!
//! - `admit`: the checks of a request, before its body and with it; `targets`: the model entries that can do a job
//! - `estimate`: the job to admit and its expected cost; `cost`: the cost of what providers did
//! - `decide`: the decision on a request whose charge is known (`asked_permit`); `revise`: the change of an open permit's
//!   charge; `live`: both for live sessions, in slices
//! - `limiter`: decisions by the [`store`](crate::store) or, while that is down, by the state of this process; `open`
//!   opens it by the settings
//! - `pending_request`: a request to the store until its answer; `watch`: maintenance of the store and of the limiter
//! - `uploads`: uploads in progress, which use memory and spool quota before they are admitted
//! - `permit`: leave to forward, which settles itself; `open_charge`: its charge, which can change until then; `refusal`: every reason to refuse, and its message

mod admit;
mod asked_permit;
mod cost;
mod decide;
mod estimate;
mod limiter;
mod live;
mod open;
mod open_charge;
mod pending_request;
mod permit;
mod refusal;
mod revise;
mod targets;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod uploads;
mod watch;

pub use admit::Admission;
pub use estimate::{JobToAdmit, PlannedPieces};
pub use limiter::{Limiter, LimiterDecision, Unavailable};
pub use live::LiveToAdmit;
pub use open::LimiterError;
pub use open_charge::OpenCharge;
pub use permit::Permit;
pub use refusal::Refusal;
pub use uploads::UploadGuard;
