//! Black-box tests: the built gateway over real sockets, with a provider of our own behind it.
//!
//! # Layout
//!
//! What the tests are written with:
//! * [`gateway`]: starts the gateway, talks to it, listens to everything that it says, and ends it.
//! * [`provider`]: stands where OpenAI would; checks what it is sent and behaves as it is told.
//! * [`issuer`]: an identity provider that publishes its keys.
//! * [`authority`]: a certificate authority.
//! * [`collector`]: takes traces, or does not; [`steps`]: puts them together.
//! * [`compose_file`]: docker-compose.yml, as compose reads it.
//! * [`account`]: what a caller has used, by the gateway's own word.
//! * `redis_server`: real Redis servers.
//! * [`scrape`]: what `/metrics` says.
//! * [`sender`]: a client that sends piece by piece.
//! * [`form`], [`sound`], [`token`], [`wire`]: bodies, recordings, tokens and bytes on a socket.
//!
//! Everything else is tests, a file for each promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test that fails may say so in any way"
)]

mod accept;
mod account;
mod authority;
mod collector;
mod compose_file;
mod form;
mod form_parts;
mod gateway;
mod issuer;
mod provider;
mod redis_line;
#[path = "../support/redis.rs"]
#[allow(dead_code, reason = "the tests of the store use the rest")]
mod redis_server;
mod scrape;
mod sender;
mod sound;
mod steps;
mod token;
mod wire;

mod bad_audio;
mod bad_bodies;
mod bad_options;
mod before_the_body;
mod blank_options;
mod bodies;
mod breaker;
mod browser;
mod check_command;
mod commands;
mod compose;
mod contract;
mod contract_properties;
mod cors;
mod data_directory;
mod deadlines;
mod deployment;
mod deployment_kubernetes;
mod documents;
mod fair_shares;
mod fallbacks;
mod fleet;
mod frame_floods;
mod headers;
mod held_connections;
mod https;
mod identity_page;
mod issuer_keys;
mod ledger;
mod lifecycle;
mod limits;
mod malformed_requests;
mod many_connections;
mod metrics;
mod metrics_states;
mod models;
mod monitoring;
mod nextjs;
mod nothing_left_behind;
mod old_clients;
mod options;
mod outages;
mod overlap;
mod overlap_charges;
mod overlap_faults;
mod overload;
mod own_bodies;
mod provider_bad_days;
mod provider_errors;
mod provider_keys;
mod provider_reasons;
mod readme;
mod recordings;
mod redis_addresses;
mod redis_connections;
mod reload;
mod retries;
mod revocation;
mod revocation_without_store;
mod rotation;
mod routes;
mod said;
mod sandbox;
mod sdk;
mod secret_files;
mod sessions;
mod sessions_bounds;
mod sessions_pages;
mod settlements_that_wait;
mod small_chunks;
mod smuggling;
mod store_failure;
mod store_is_late;
mod streams;
mod streams_broken;
mod tls;
mod tls_streams;
mod tokens;
mod traces;
mod traces_badly;
mod usage_command;
mod usage_records;
mod wire_differences;
