//! Every family: its name, what it means, its labels. docs/observability.md has the same as a table, which a test holds
//! against this.

#![allow(clippy::doc_markdown, reason = "Prometheus shows these words as they are")]

use super::kinds::{Counter, Described, Gauge, Histogram, Sum};

/// Seconds that a request or a provider may take.
const LONG: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Seconds that are the gateway's and the client's own.
const OWN: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Seconds that a store may take.
const SHORT: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

macro_rules! families {
    ($(#[doc = $help:literal] $family:ident: $kind:ident<$n:literal> = $name:literal $labels:tt $(, $more:expr)?;)+) => {
        $(
            #[doc = $help]
            pub static $family: $kind<$n> = $kind::new($name, $help.trim_ascii(), $labels $(, $more)?);
        )+

        /// Every family, in words.
        pub fn families() -> Vec<Described> {
            vec![$($family.described()),+]
        }
    };
}

families! {
    /// Requests by route, model and the status that the client was told; 499: the client was gone before.
    REQUESTS: Counter<3> = "voxgate_requests_total" ["route", "model", "status"];
    /// Requests by how they ended: answered, client_gone, stream_broken.
    OUTCOMES: Counter<2> = "voxgate_request_outcomes_total" ["route", "outcome"];
    /// Requests that were answered with an error, by its code.
    REFUSALS: Counter<1> = "voxgate_refusals_total" ["code"];
    /// From a request's head to the last byte of its answer.
    REQUEST_SECONDS: Histogram<2> = "voxgate_request_duration_seconds" ["route", "stream"], LONG;
    /// The part of a request's time in which providers were asked, with the waits in between, by the last of them.
    PROVIDER_SECONDS: Histogram<1> = "voxgate_provider_duration_seconds" ["provider"], LONG;
    /// The part of a request's time that is left without that: the gateway's own, and the client's for its upload.
    GATEWAY_SECONDS: Histogram<1> = "voxgate_gateway_duration_seconds" ["route"], OWN;
    /// From a request's head to the first event of its stream.
    FIRST_EVENT_SECONDS: Histogram<1> = "voxgate_first_event_seconds" ["model"], LONG;

    /// Recordings that were sent on, in seconds of audio as measured.
    AUDIO_SECONDS: Sum<1> = "voxgate_audio_seconds_total" ["model"], 3;
    /// Recordings that were sent on, in bytes.
    AUDIO_BYTES: Counter<1> = "voxgate_audio_bytes_total" ["model"];
    /// What settled requests came to, in US dollars, by the model that was asked for and the provider that served.
    SPEND: Sum<2> = "voxgate_spend_usd_total" ["model", "provider"], 9;
    /// Requests that were let in and are over, by how they are charged: answered, refunded, left, broken.
    SETTLED: Counter<1> = "voxgate_settlements_total" ["ending"];

    /// Times that a provider was asked.
    TRIES: Counter<1> = "voxgate_provider_tries_total" ["provider"];
    /// Times that a provider failed or refused, and streams that it broke off.
    FAILURES: Counter<2> = "voxgate_provider_failures_total" ["provider", "reason"];
    /// 1 for the state that a provider's circuit breaker is in: closed, open, half_open.
    BREAKER: Gauge<2> = "voxgate_provider_breaker_state" ["provider", "state"];
    /// Failures of a provider since it last answered.
    IN_A_ROW: Gauge<1> = "voxgate_provider_failures_in_a_row" ["provider"];
    /// 1 for the state that a provider's key is in: usable, resting (over its limit), refused (not accepted).
    KEY: Gauge<3> = "voxgate_provider_key_state" ["provider", "key", "state"];

    /// What the store takes for one question: admit, settle, query, session.
    STORE_SECONDS: Histogram<1> = "voxgate_store_duration_seconds" ["operation"], SHORT;
    /// Questions that the store did not answer: slow, away (not asked), failed, refused, garbled.
    STORE_FAILURES: Counter<2> = "voxgate_store_failures_total" ["operation", "reason"];
    /// 1 for how much of the store is there: ready, partly_away, away.
    STORE: Gauge<1> = "voxgate_store_state" ["state"];
    /// Settlements that wait for the store to come back.
    WAITING: Gauge<0> = "voxgate_settlements_waiting" [];
    /// Requests in flight that were let in without the store.
    OWED: Gauge<0> = "voxgate_permits_without_store" [];
    /// How many of both there may be (store.max_pending).
    WAITING_LIMIT: Gauge<0> = "voxgate_settlements_waiting_limit" [];
    /// Revocations that the gateway has heard of, and that hold whatever becomes of the store.
    REVOCATIONS: Gauge<0> = "voxgate_revocations_known" [];

    /// Requests with audio in flight.
    IN_FLIGHT: Gauge<0> = "voxgate_requests_in_flight" [];
    /// How many there may be (server.max_in_flight).
    IN_FLIGHT_LIMIT: Gauge<0> = "voxgate_requests_in_flight_limit" [];
    /// Requests that wait for a place.
    QUEUED: Gauge<0> = "voxgate_requests_queued" [];
    /// How many may wait (server.max_queue).
    QUEUED_LIMIT: Gauge<0> = "voxgate_requests_queued_limit" [];
    /// Connections that are open, by listener: public, ops.
    CONNECTIONS: Gauge<1> = "voxgate_connections" ["listener"];
    /// How many there may be (server.max_connections).
    CONNECTIONS_LIMIT: Gauge<1> = "voxgate_connections_limit" ["listener"];
    /// Connections that a bound closed: idle (for longest, to make room), limit (none was idle), address_limit, control_frames.
    CONNECTIONS_CLOSED: Counter<1> = "voxgate_connections_closed_total" ["reason"];
    /// Streams to clients that are open.
    STREAMS: Gauge<0> = "voxgate_streams_in_flight" [];
    /// What recordings take up, in memory and on disk.
    SPOOL_BYTES: Gauge<1> = "voxgate_spool_bytes" ["place"];
    /// What they may take up (intake.max_spool_memory_bytes, intake.max_spool_disk_bytes).
    SPOOL_LIMIT: Gauge<1> = "voxgate_spool_limit_bytes" ["place"];
    /// Recordings that wait to be measured.
    MEASURING_QUEUED: Gauge<0> = "voxgate_measuring_queued" [];
    /// How many may wait.
    MEASURING_QUEUED_LIMIT: Gauge<0> = "voxgate_measuring_queued_limit" [];
    /// Threads that measure a recording.
    MEASURING_BUSY: Gauge<0> = "voxgate_measuring_threads_busy" [];
    /// How many threads there are for that: one less than cores, one at least.
    MEASURING_THREADS: Gauge<0> = "voxgate_measuring_threads" [];

    /// When the certificate of server.tls_cert ends, in seconds since 1970; where the gateway speaks HTTPS.
    TLS_ENDS: Gauge<0> = "voxgate_tls_certificate_expiry_timestamp_seconds" [];
    /// 1 while the gateway wants requests, as /health/ready says.
    READY: Gauge<0> = "voxgate_ready" [];
    /// 1, with the version that runs.
    BUILD: Gauge<1> = "voxgate_build_info" ["version"];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::kinds::Kind;
    use super::*;

    #[test]
    fn buckets_reach_as_far_as_the_settings_let_things_take_by_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("voxgate.toml");
        std::fs::write(&file, "").unwrap();
        let settings = crate::config::Settings::load(Some(&file)).unwrap();
        for (buckets, longest) in [(LONG, settings.upstream.response_timeout), (OWN, settings.intake.body_timeout)] {
            assert!(buckets.last().is_some_and(|last| *last >= longest.as_secs_f64()), "{longest:?}: {buckets:?}");
        }
    }

    #[test]
    fn names_are_given_once_and_as_prometheus_wants_them() {
        let mut names = BTreeSet::new();
        for Described { name, help, labels, kind, buckets } in families() {
            assert!(names.insert(name), "{name} twice");
            let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(name.starts_with("voxgate_") && word(name), "{name}");
            assert!(labels.iter().all(|label| word(label)), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(kind == Kind::Histogram, !buckets.is_empty(), "{name}");
            assert!(buckets.is_sorted(), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}: {help}");
        }
    }
}
