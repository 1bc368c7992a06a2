//! Voxgate: an HTTP gateway that puts speech-to-text into a product without putting the provider's key in a browser.
//!
//! # Layout
//!
//! A request goes through seven steps, each a module, and each hands one type to the next:
//!
//! > receive → identify → take in → admit → forward → relay → settle
//!
//! - [`transport`]: a client's bytes become requests, over TLS, HTTP/1 and HTTP/2
//! - [`http`]: requests to types and back: routes, handlers, middleware, headers, errors
//! - [`identity`]: a token becomes a [`Caller`](identity::Caller)
//! - [`intake`]: a body in one of three forms becomes a [`Job`](intake::Job)
//! - [`admission`]: caller and job become a [`Permit`](admission::Permit), or a refusal
//! - [`upstream`]: a [`ForwardRequest`](upstream::ForwardRequest) becomes a provider's [`Reply`](upstream::Reply)
//! - [`relay`]: a reply becomes the client's answer, whole or as server-sent events
//! - [`settlement`]: the charge is corrected to what the provider reports
//!
//! These use: [`exchange`] (one request in flight: its log line, counts and trace), [`sessions`] (short-lived tokens for a
//! page, and revoked tokens), [`store`] (limits, budgets and records, in a file or in Redis), [`limits`] (rates, leases and budgets as numbers),
//! [`models`] (which model does a job), [`speech`] (the sound: decoded, cut, encoded), [`split`] (a recording in pieces),
//! [`ledger`] (charges, prices, records), [`fair_share`] (how callers divide what is
//! bounded), [`telemetry`] (logs, metrics, traces), [`config`] (settings), [`domain`] (the words and quantities of all
//! modules), [`private_dir`] (files that no other user can write).
//!
//! Around them: [`app`] (start, serve, reload), [`cli`] (commands), [`sandbox`] (a provider in the process for a first try).
//!
//! Only `app`, `transport`, `http`, `intake`, `sandbox` and the request's span in `telemetry` know actix-web. All other modules are tested
//! without a server. A module imports only modules of lower layers, which `tests/layers` checks.
#![cfg_attr(test, allow(clippy::as_conversions))]

pub mod admission;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod exchange;
pub mod fair_share;
pub mod http;
pub mod identity;
pub mod intake;
pub mod ledger;
pub mod limits;
pub mod live;
pub mod models;
pub mod private_dir;
#[cfg(test)]
mod properties;
pub mod relay;
pub mod sandbox;
pub mod sessions;
pub mod settlement;
pub mod speech;
pub mod split;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod upstream;
