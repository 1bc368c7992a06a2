//! The application: built from its settings, served, reloaded, and stopped.

pub mod build;
mod connections;
mod fd_limit;
pub mod reload;
pub mod server;
pub mod signals;
