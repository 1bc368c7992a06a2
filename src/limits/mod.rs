//! The limits of one request as numbers, the request to a store, and the store's decision.
//!
//! - `bucket`, `plan_limits`: the limits by a plan; `request`, `decision`: the request to a store, and its answer
//! - `rates`: the rates of this process; `leases`: its requests in flight; `budget_cache`: the last known budgets
//! - `settlement`: the final cost of a permit; `session`: sessions and their caps
//! - `reached`: a limit that refused a request, with its message; `allowance`: the rest of the rates, for headers
//! - `clock`: the clock of all of these

mod allowance;
mod bucket;
mod budget_cache;
pub mod clock;
mod decision;
mod gcra;
pub mod leases;
mod plan_limits;
pub mod rates;
mod reached;
mod request;
pub mod session;
mod settlement;

pub use allowance::{Allowance, RateWindow};
pub use bucket::Bucket;
pub(crate) use budget_cache::BudgetCache;
pub use decision::{AccountUsage, Decision, Denial, RateReset};
pub use plan_limits::{Limits, Replaced};
pub use reached::{Limit, LimitContext, LimitReached};
pub use request::AdmitRequest;
pub use settlement::{IfUnknown, RateRefund, Settlement};
