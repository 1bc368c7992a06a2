//! Black-box tests: the built gateway over real sockets, with a provider of our own behind it.
//!
//! # Layout
//!
//! What the tests are written with:
//! * [`gateway`]: starts the gateway, talks to it, listens to everything that it says, and ends it.
//! * [`provider`]: stands where OpenAI would; checks what it is sent and behaves as it is told.
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

mod form;
mod gateway;
mod provider;
mod sound;
mod token;
mod wire;

mod bad_audio;
mod bad_bodies;
mod bad_options;
mod before_the_body;
mod bodies;
mod commands;
mod contract;
mod headers;
mod held_connections;
mod lifecycle;
mod models;
mod nothing_left_behind;
mod options;
mod provider_errors;
mod recordings;
mod routes;
mod said;
mod sandbox;
mod sdk;
mod streams;
mod streams_broken;
mod tokens;
