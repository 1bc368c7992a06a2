//! Black-box tests: the built gateway over real sockets, with a test provider behind it.
//!
//! [`support`] is what they are written with. Every other module is the tests of one promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test that fails may say so in any way"
)]

mod support;

mod accept;
mod blank_options;
mod bodies;
mod breaker;
mod browser;
mod charges;
mod check_command;
mod cleanup;
mod client_module;
mod commands;
mod compose;
mod connection_limit;
mod contract;
mod contract_properties;
mod cors;
mod data_directory;
mod deadlines;
mod deployment;
mod deployment_kubernetes;
mod docs_pages;
mod early_forwarding;
mod early_forwarding_charges;
mod early_forwarding_failures;
mod fair_shares;
mod fallbacks;
mod fleet;
mod form_parts;
mod headers;
mod http10;
mod http2;
mod http2_floods;
mod https;
mod identity_docs;
mod init_command;
mod invalid_audio;
mod invalid_bodies;
mod invalid_options;
mod jwks;
mod key_rotation;
mod limits;
mod line_breaks;
mod live;
mod live_charges;
mod live_ends;
mod live_stream;
mod log_redaction;
mod malformed_requests;
mod metrics;
mod metrics_gauges;
mod models;
mod monitoring;
mod nextjs;
mod operator;
mod options;
mod overload;
mod provider_errors;
mod provider_failures;
mod provider_keys;
mod provider_presets;
mod provider_reasons;
mod readme;
mod recordings;
mod redis_addresses;
mod redis_connections;
mod redis_outages;
mod refused_before_body;
mod reload;
mod retries;
mod revocation;
mod revocation_without_store;
mod routes;
mod sandbox;
mod sdk;
mod secret_files;
mod sessions;
mod sessions_bounds;
mod sessions_pages;
mod settlement_journal;
mod shutdown;
mod small_chunks;
mod smuggling;
mod split;
mod split_arriving;
mod split_charges;
mod split_failures;
mod split_hostile;
mod stalled_clients;
mod store_failure;
mod store_timeouts;
mod stream_failures;
mod streams;
mod threat_model;
mod tls;
mod tokens;
mod trace_export_failures;
mod traces;
mod transcribe_alone;
mod transcribe_batch;
mod transcribe_failures;
mod transcribe_gateway;
mod transcribe_hostile;
mod transcribe_live;
mod transcribe_live_losses;
mod transcribe_progress;
mod usage_command;
mod usage_records;
mod usage_requests;
