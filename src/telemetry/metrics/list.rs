//! The table of all metric families: name, help, labels and buckets. A test compares the table in docs/observability.md with
//! it.

/// Passes the table to a macro: `families` makes the values to count with of it, `descriptors` the list for the exporter.
macro_rules! with_every_family {
    ($use_it:ident) => {
        $use_it! {
            /// Requests by route, model and status sent to the client; 499 if the client left before the answer.
            REQUESTS: Counter<3> = "voxgate_requests_total" ["route", "model", "status"];
            /// Requests by outcome: answered, client_gone, stream_broken.
            OUTCOMES: Counter<2> = "voxgate_request_outcomes_total" ["route", "outcome"];
            /// Requests answered with an error, by error code.
            REFUSALS: Counter<1> = "voxgate_refusals_total" ["code"];
            /// Time from the head of a request to the last byte of its answer.
            REQUEST_SECONDS: Histogram<2> = "voxgate_request_duration_seconds" ["route", "stream"], LONG;
            /// Time of a request in provider attempts and the waits between them, by the last provider.
            PROVIDER_SECONDS: Histogram<1> = "voxgate_provider_duration_seconds" ["provider"], LONG;
            /// Time of a request outside provider attempts: the gateway's work and the client's upload.
            GATEWAY_SECONDS: Histogram<1> = "voxgate_gateway_duration_seconds" ["route"], OWN;
            /// Time from the head of a request to the first event of its stream.
            FIRST_EVENT_SECONDS: Histogram<1> = "voxgate_first_event_seconds" ["model"], LONG;

            /// Measured seconds of audio forwarded to providers.
            AUDIO_SECONDS: Sum<1> = "voxgate_audio_seconds_total" ["model"], 3;
            /// Bytes of audio forwarded to providers.
            AUDIO_BYTES: Counter<1> = "voxgate_audio_bytes_total" ["model"];
            /// Pieces of recordings that were cut to be sent to providers.
            PIECES: Counter<1> = "voxgate_pieces_total" ["model"];
            /// Seconds of sound in these pieces.
            PIECE_SECONDS: Sum<1> = "voxgate_piece_seconds_total" ["model"], 3;
            /// Seconds of silence in recordings in pieces that were in no piece.
            SILENCE_SECONDS: Sum<1> = "voxgate_silence_seconds_total" ["model"], 3;
            /// Processor time spent on decoding, cutting and encoding recordings, in seconds.
            CUTTING_SECONDS: Sum<0> = "voxgate_cutting_seconds_total" [], 3;
            /// Packets of recordings that could not be decoded and were replaced by silence.
            DAMAGED_PACKETS: Counter<0> = "voxgate_damaged_packets_total" [];

            /// Cost of settled requests in US dollars, by requested model and serving provider.
            SPEND: Sum<2> = "voxgate_spend_usd_total" ["model", "provider"], 9;
            /// Settled requests by ending: answered, refunded, left (the client hung up), broken (the provider broke off the stream).
            SETTLED: Counter<1> = "voxgate_settlements_total" ["ending"];

            /// Attempts at a provider.
            TRIES: Counter<1> = "voxgate_provider_tries_total" ["provider"];
            /// Failed attempts at a provider, and streams that it broke off, by reason.
            FAILURES: Counter<2> = "voxgate_provider_failures_total" ["provider", "reason"];
            /// 1 for the current state of a provider's circuit breaker: closed, open, half_open.
            BREAKER: Gauge<2> = "voxgate_provider_breaker_state" ["provider", "state"];
            /// Consecutive failures of a provider since its last answer.
            IN_A_ROW: Gauge<1> = "voxgate_provider_failures_in_a_row" ["provider"];
            /// 1 for the current state of a provider's key: usable, resting (rate limited), refused (rejected by the provider).
            KEY: Gauge<3> = "voxgate_provider_key_state" ["provider", "key", "state"];

            /// Time of a call to the store: admit, revise, settle, query, session.
            STORE_SECONDS: Histogram<1> = "voxgate_store_duration_seconds" ["operation"], SHORT;
            /// Failed calls to the store by reason: slow, away (not called), failed, refused, garbled.
            STORE_FAILURES: Counter<2> = "voxgate_store_failures_total" ["operation", "reason"];
            /// 1 for the current state of the store: ready, partly_away, away.
            STORE: Gauge<1> = "voxgate_store_state" ["state"];
            /// Settlements that wait for the store to come back.
            WAITING: Gauge<0> = "voxgate_settlements_waiting" [];
            /// Requests in flight that were admitted without the store.
            OWED: Gauge<0> = "voxgate_permits_without_store" [];
            /// Limit for waiting settlements and permits without the store together (store.max_pending).
            WAITING_LIMIT: Gauge<0> = "voxgate_settlements_waiting_limit" [];
            /// Revocations that the gateway remembers, whatever the state of the store.
            REVOCATIONS: Gauge<0> = "voxgate_revocations_known" [];

            /// Requests with audio in flight.
            IN_FLIGHT: Gauge<0> = "voxgate_requests_in_flight" [];
            /// Limit for requests with audio in flight (server.max_in_flight).
            IN_FLIGHT_LIMIT: Gauge<0> = "voxgate_requests_in_flight_limit" [];
            /// Requests that wait because the in-flight limit is reached.
            QUEUED: Gauge<0> = "voxgate_requests_queued" [];
            /// Limit for waiting requests (server.max_queue).
            QUEUED_LIMIT: Gauge<0> = "voxgate_requests_queued_limit" [];
            /// Open connections by listener: public, ops.
            CONNECTIONS: Gauge<1> = "voxgate_connections" ["listener"];
            /// Limit for open connections (server.max_connections).
            CONNECTIONS_LIMIT: Gauge<1> = "voxgate_connections_limit" ["listener"];
            /// Connections closed by a limit: idle (longest idle, closed to make room), limit (none was idle), address_limit, control_frames.
            CONNECTIONS_CLOSED: Counter<1> = "voxgate_connections_closed_total" ["reason"];
            /// Open live sessions.
            LIVE_SESSIONS: Gauge<0> = "voxgate_live_sessions" [];
            /// Limit for open live sessions (live.max_sessions).
            LIVE_SESSIONS_LIMIT: Gauge<0> = "voxgate_live_sessions_limit" [];
            /// Turns of live sessions by outcome: transcribed, failed.
            LIVE_TURNS: Counter<1> = "voxgate_live_turns_total" ["outcome"];
            /// Open streams to clients.
            STREAMS: Gauge<0> = "voxgate_streams_in_flight" [];
            /// Bytes of spooled recordings, in memory and on disk.
            SPOOL_BYTES: Gauge<1> = "voxgate_spool_bytes" ["place"];
            /// Spool quota in bytes (intake.max_spool_memory_bytes, intake.max_spool_disk_bytes).
            SPOOL_LIMIT: Gauge<1> = "voxgate_spool_limit_bytes" ["place"];
            /// Recordings that wait to be measured.
            MEASURING_QUEUED: Gauge<0> = "voxgate_measuring_queued" [];
            /// Limit for recordings that wait to be measured.
            MEASURING_QUEUED_LIMIT: Gauge<0> = "voxgate_measuring_queued_limit" [];
            /// Threads that are measuring a recording.
            MEASURING_BUSY: Gauge<0> = "voxgate_measuring_threads_busy" [];
            /// Threads for measuring recordings: one less than CPU cores, at least one.
            MEASURING_THREADS: Gauge<0> = "voxgate_measuring_threads" [];

            /// Recordings that wait for a thread that decodes them.
            SPEECH_QUEUED: Gauge<0> = "voxgate_speech_queued" [];
            /// Limit for recordings that wait for a thread that decodes them.
            SPEECH_QUEUED_LIMIT: Gauge<0> = "voxgate_speech_queued_limit" [];
            /// Threads that are decoding, cutting and encoding a recording.
            SPEECH_BUSY: Gauge<0> = "voxgate_speech_threads_busy" [];
            /// Threads for decoding, cutting and encoding recordings (speech.threads).
            SPEECH_THREADS: Gauge<0> = "voxgate_speech_threads" [];

            /// Expiry of the certificate in server.tls_cert, in seconds since 1970; absent without HTTPS.
            TLS_ENDS: Gauge<0> = "voxgate_tls_certificate_expiry_timestamp_seconds" [];
            /// 1 while the gateway accepts requests, as /health/ready reports.
            READY: Gauge<0> = "voxgate_ready" [];
            /// 1, labelled with the running version.
            BUILD: Gauge<1> = "voxgate_build_info" ["version"];
        }
    };
}

pub(super) use with_every_family;
