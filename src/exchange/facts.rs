//! The facts of one request, and the log event that has them all.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::ledger::Usage;
use crate::models::Attempts;
use crate::speech::CutReport;
use crate::telemetry::metrics::Label;
use crate::telemetry::traces::{Span, Trace};

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// The client got the whole answer, be it an error.
    Answered,
    /// The client left before the end of the answer.
    #[default]
    ClientGone,
    /// The provider broke off a stream that had begun.
    StreamBroken,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ClientGone => "client_gone",
            Self::StreamBroken => "stream_broken",
        }
    }
}

/// The facts of one request. When they are dropped, the request is over, and they are counted and written.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) started: Option<Instant>,
    pub(super) ended: Option<(Instant, SystemTime)>,
    pub(super) request_id: String,
    pub(super) method: String,
    pub(super) route: &'static str,
    pub(super) subject: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) model: Option<String>,
    /// The model's label in the metrics.
    pub(super) counted_as: Option<Label>,
    pub(super) container: Option<&'static str>,
    pub(super) codec: Option<String>,
    pub(super) audio_ms: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) stream: bool,
    pub(super) status: Option<u16>,
    pub(super) error: Option<&'static str>,
    pub(super) attempts: Option<Attempts>,
    pub(super) provider_request_id: Option<String>,
    pub(super) provider_status: Option<u16>,
    pub(super) provider_error_type: Option<String>,
    pub(super) provider_error_code: Option<String>,
    pub(super) forwarded: Option<Instant>,
    pub(super) provider_time: Option<Duration>,
    pub(super) first_event: Option<Instant>,
    /// The report of the cutting, if the recording was cut.
    pub(super) cut: Option<CutReport>,
    pub(super) usage: Option<Usage>,
    pub(super) outcome: Outcome,
    /// True if the request is one of many of a live session.
    pub(super) is_of_live_session: bool,
    pub(super) trace: Trace,
    /// The span of the first step, until the body takes it.
    pub(super) receiving: Span,
    pub(super) relaying: Span,
}

impl Drop for Facts {
    fn drop(&mut self) {
        let Some((started, (ended, ended_at))) = self.started.zip(self.ended) else { return };
        let whole = ended.saturating_duration_since(started);
        // A provider that has the request and has not finished was busy until now.
        let provider =
            self.provider_time.or_else(|| self.forwarded.map(|since| ended.saturating_duration_since(since)));
        let (input_tokens, output_tokens, billed_ms) = match self.usage {
            Some(Usage::Tokens { input, output }) => (Some(input), Some(output), None),
            Some(Usage::Length(length)) => (None, None, Some(length.get())),
            None => (None, None, None),
        };
        let target = self.attempts.as_ref().and_then(Attempts::last_target);
        // Count before writing the event: a reader of the event can then rely on the metrics.
        self.count(whole, provider.zip(target.as_ref()));
        self.end_trace(ended_at, target.as_ref());
        if self.is_of_live_session && self.status.is_none_or(|status| status < 500) {
            return;
        }
        tracing::info!(
            request_id = self.request_id,
            trace_id = self.trace.id(),
            method = self.method,
            route = self.route,
            subject = self.subject.as_deref(),
            plan = self.plan.as_deref(),
            model = self.model.as_deref(),
            container = self.container,
            codec = self.codec.as_deref(),
            audio_ms = self.audio_ms,
            bytes = self.bytes,
            stream = self.stream,
            status = self.status,
            error = self.error,
            outcome = self.outcome.as_str(),
            provider = target.as_ref().map(|target| target.provider.as_str()),
            key = target.as_ref().and_then(|target| target.key.as_deref()),
            attempts = self.attempts.as_ref().map(Attempts::count),
            provider_request_id = self.provider_request_id.as_deref(),
            provider_status = self.provider_status,
            provider_error_type = self.provider_error_type.as_deref(),
            provider_error_code = self.provider_error_code.as_deref(),
            provider_ms = provider.map(millis),
            gateway_ms = millis(whole.saturating_sub(provider.unwrap_or_default())),
            pieces = self.cut.map(|cut| cut.pieces),
            speech_ms = self.cut.map(|cut| cut.sent.audio_ms().get()),
            silence_ms = self.cut.map(|cut| cut.skipped.audio_ms().get()),
            cutting_ms = self.cut.map(|cut| millis(cut.processor_time)),
            damaged_packets = self.cut.map(|cut| cut.decoding.damaged),
            usage_input_tokens = input_tokens,
            usage_output_tokens = output_tokens,
            usage_audio_ms = billed_ms,
            "request"
        );
    }
}

/// Converts a duration to milliseconds with three decimals.
fn millis(span: Duration) -> f64 {
    f64::from(u32::try_from(span.as_micros()).unwrap_or(u32::MAX)) / 1000.0
}
