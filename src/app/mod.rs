//! The application: built from its settings, served, reloaded, and stopped.

pub mod reload;
pub mod server;
