//! The handlers, one file for each route or family of routes.

pub(super) mod audio;
pub(super) mod console;
pub(super) mod docs;
mod document;
pub(super) mod health;
pub(super) mod live;
pub(super) mod metrics;
pub(super) mod models;
pub(super) mod operator;
mod request_json;
pub(super) mod sessions;
mod small_body;
pub(super) mod usage;
