//! `/` and `/operator/…`, on the operational listener only: what the gateway is doing, and what its callers used, as a page
//! and as JSON.
//!
//! - `access`: the guard of these routes, as extractors; `origin`: whom a browser may ask for; `refusals`: the log of wrong
//!   tokens
//! - `answer`, `error`: answers with the headers that keep them from other pages
//! - `state`: what is so now; `usage`: the sums and the last requests, from the store by `cache`
//! - `page`: the page that shows them

pub(in crate::http) mod access;
pub(in crate::http) mod answer;
pub(in crate::http) mod cache;
mod error;
mod origin;
pub(in crate::http) mod page;
mod refusals;
pub(in crate::http) mod state;
pub(in crate::http) mod usage;
