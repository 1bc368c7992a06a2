//! `GET /metrics`, on the operational listener only: counters and current gauges.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;

use super::health;
use crate::admission::Limiter;
use crate::http::state::{AppState, CurrentState};
use crate::relay;
use crate::store::{Availability, Operation, StoreError};
use crate::telemetry::metrics::{self as families, Label, Page};
use crate::upstream::{BreakerState, KeyState, ProviderState};

/// The text format that every Prometheus version reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(in crate::http) async fn show(current: Data<CurrentState>) -> HttpResponse {
    let state = current.current();
    let states = state.providers.states();
    start_at_zero(&state);
    let mut page = Page::begin();
    providers(&mut page, &states);
    store(&mut page, &state.shared.limiter);
    load(&mut page, &state);
    (state.shared.write_metrics)(&mut page);
    page.gauge(&families::READY, [([], u64::from(health::is_ready(&state)))]);
    page.gauge(&families::BUILD, [([env!("CARGO_PKG_VERSION")], 1)]);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, TEXT))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(page.finish())
}

/// Starts all series with known labels at zero, so that Prometheus sees the first event as an increase. Those of the
/// providers start with [`Providers`](crate::upstream::Providers).
fn start_at_zero(state: &AppState) {
    for operation in Operation::ALL.map(|operation| Label::fixed(operation.as_str())) {
        for reason in StoreError::REASONS.map(Label::fixed) {
            families::STORE_FAILURES.add([operation, reason], 0);
        }
    }
    families::CUTTING_SECONDS.add([], 0);
    families::DAMAGED_PACKETS.add([], 0);
    let models = &state.settings.models;
    for model in models.values() {
        let label = Label::model(model);
        families::AUDIO_SECONDS.add([label], 0);
        families::AUDIO_BYTES.add([label], 0);
        families::PIECES.add([label], 0);
        families::PIECE_SECONDS.add([label], 0);
        families::SILENCE_SECONDS.add([label], 0);
        let fallbacks = model.fallbacks.iter().filter_map(|fallback| models.get(&fallback.model));
        for entry in std::iter::once(model).chain(fallbacks) {
            families::SPEND.add([label, Label::configured(state.provider_name(entry))], 0);
        }
    }
}

fn providers(page: &mut Page, states: &[ProviderState]) {
    let breakers = states.iter().flat_map(|ProviderState { name, breaker, .. }| {
        BreakerState::ALL.map(|state| ([name.as_str(), state.as_str()], u64::from(state == *breaker)))
    });
    page.gauge(&families::BREAKER, breakers);
    let failures = states.iter().map(|state| ([state.name.as_str()], u64::from(state.failures)));
    page.gauge(&families::IN_A_ROW, failures);
    let keys = states.iter().flat_map(|provider| provider.keys.iter().map(|(key, is)| (&provider.name, key, *is)));
    let keys = keys.flat_map(|(provider, key, is)| {
        KeyState::ALL.map(|state| ([provider.as_str(), key.as_str(), state.as_str()], u64::from(state == is)))
    });
    page.gauge(&families::KEY, keys);
}

fn store(page: &mut Page, limiter: &Limiter) {
    let availability = limiter.availability();
    let states = [("ready", Availability::Up), ("partly_away", Availability::Degraded), ("away", Availability::Down)];
    page.gauge(&families::STORE, states.map(|(name, state)| ([name], u64::from(state == availability))));
    let pending = limiter.pending();
    page.gauge(&families::WAITING, [([], number(pending.waiting))]);
    page.gauge(&families::OWED, [([], number(pending.owed))]);
    page.gauge(&families::WAITING_LIMIT, [([], number(pending.max))]);
    page.gauge(&families::REVOCATIONS, [([], number(limiter.revocations().count_known()))]);
}

fn load(page: &mut Page, state: &AppState) {
    let (in_flight, queue) = (state.shared.concurrency.in_flight(), state.shared.concurrency.queue());
    page.gauge(&families::IN_FLIGHT, [([], in_flight.held)]);
    page.gauge(&families::IN_FLIGHT_LIMIT, [([], in_flight.capacity)]);
    page.gauge(&families::QUEUED, [([], queue.held)]);
    page.gauge(&families::QUEUED_LIMIT, [([], queue.capacity)]);
    page.gauge(&families::LIVE_SESSIONS, [([], number(state.shared.live.open()))]);
    page.gauge(&families::LIVE_SESSIONS_LIMIT, [([], number(state.settings.live.max_sessions))]);
    page.gauge(&families::STREAMS, [([], number(relay::streams_open()))]);
    let (spool, limits) = (state.shared.intake.quota.used(), &state.settings.fixed.spool);
    page.gauge(&families::SPOOL_BYTES, [(["memory"], spool.memory), (["disk"], spool.disk)]);
    let limits = [(["memory"], limits.max_spool_memory_bytes), (["disk"], limits.max_spool_disk_bytes)];
    page.gauge(&families::SPOOL_LIMIT, limits);
    let measuring = state.shared.intake.measuring.load();
    page.gauge(&families::MEASURING_QUEUED, [([], measuring.queued)]);
    page.gauge(&families::MEASURING_QUEUED_LIMIT, [([], measuring.max_queued)]);
    page.gauge(&families::MEASURING_BUSY, [([], number(measuring.busy))]);
    page.gauge(&families::MEASURING_THREADS, [([], number(measuring.threads))]);
    let speech = state.shared.speech.load();
    page.gauge(&families::SPEECH_QUEUED, [([], speech.queued)]);
    page.gauge(&families::SPEECH_QUEUED_LIMIT, [([], speech.max_queued)]);
    page.gauge(&families::SPEECH_BUSY, [([], number(speech.busy))]);
    page.gauge(&families::SPEECH_THREADS, [([], number(speech.threads))]);
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
