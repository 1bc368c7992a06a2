//! Sessions: short-lived tokens that a maker hands to its own users, and revoked tokens.
//!
//! A maker is a caller that acts for itself ([`Caller::acting_as_maker`](crate::identity::Caller::acting_as_maker)).
//!
//! - `create`: the body of a request to create a session; `delegation`: the rule which session a caller may make
//! - `registry`: opening, listing and ending sessions; `revocations`: revoked tokens, as this process and the store
//!   know them

mod create;
mod delegation;
mod registry;
mod revocations;

pub use create::{CreateSession, CreateSessionError};
pub use delegation::{DelegationError, check_delegation};
pub use registry::{Maker, OpenSessionError, Sessions};
pub use revocations::Revocations;
