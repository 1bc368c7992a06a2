//! The steps that every request goes through before and after its handler.

pub(super) mod cors;
pub(super) mod https;
pub(super) mod request_log;
