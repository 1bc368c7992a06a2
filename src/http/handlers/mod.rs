//! The handlers, one file for each route or family of routes.

pub(super) mod audio;
pub(super) mod console;
pub(super) mod docs;
mod document;
pub(super) mod health;
pub(super) mod metrics;
pub(super) mod models;
pub(super) mod operator;
mod request_json;
pub(super) mod sessions;
pub(super) mod usage;
