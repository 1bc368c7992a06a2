//! Voxgate: an HTTP gateway that puts speech-to-text into a product without putting the provider's key in a browser.
//!
//! # Layout
//!
//! A request goes through seven steps, each a room of its own, and each hands one type to the next:
//!
//! > receive → identify → take in → admit → forward → relay → settle
//!
//! - [`http`]: what came over the wire, what goes back? Routes, errors, headers. The one room that may know all others.
//! - [`identity`]: who is calling? A token becomes a [`Caller`](identity::Caller).
//! - [`intake`]: what did they send? A body in one of three forms becomes a [`Job`](intake::Job).
//! - [`admission`]: may they, now? Caller and job become a [`Permit`](admission::Permit).
//! - [`upstream`]: who does the work? An [`Errand`](upstream::Errand) becomes a [`Reply`](upstream::Reply).
//! - [`relay`]: what does the client get? A reply becomes bytes, whole or as server-sent events.
//! - [`ledger`]: what did it cost? A reply's [`Usage`](ledger::Usage).
//!
//! Around them: [`config`] (settings), [`telemetry`] (logs, metrics, traces), [`cli`] (commands), [`server`] (wiring), [`reload`]
//! (settings that change), [`sandbox`] (a
//! provider for a first try), [`fair_share`] (how callers share what is bounded), [`private_dir`] (files that nobody else
//! writes), [`units`] and [`terms`] (the words that all use).
//!
//! Arrows run one way, down this list; no room reaches back up. Only `http`, `relay`'s callers and `server` know
//! actix-web, so every other room can be tested without a server.
#![cfg_attr(test, allow(clippy::as_conversions))]

pub mod admission;
pub mod cli;
pub mod config;
pub mod domain;
pub mod fair_share;
pub mod http;
pub mod identity;
pub mod intake;
pub mod ledger;
pub mod limits;
pub mod models;
pub mod private_dir;
#[cfg(test)]
mod properties;
pub mod relay;
pub mod reload;
pub mod sandbox;
pub mod server;
pub mod settlement;
pub mod store;
pub mod telemetry;
pub mod upstream;
