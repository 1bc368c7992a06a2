//! Headers of requests and answers, each with its rules.

pub(super) mod accept;
pub(super) mod client_timeout;
pub(super) mod common;
pub(super) mod forwarded;
pub(super) mod rate_limit;
pub(super) mod trace_context;
