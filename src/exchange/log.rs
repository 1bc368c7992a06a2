//! The record of each request: one log event when the last byte of its answer is out or the client is gone. The metrics
//! are counted at the same time.

mod counts;
mod traced;

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tracing::Instrument;

use crate::config::Model;
use crate::identity::Caller;
use crate::intake::Job;
use crate::ledger::Usage;
use crate::models::AttemptLog;
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
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ClientGone => "client_gone",
            Self::StreamBroken => "stream_broken",
        }
    }
}

/// The facts of one request, gathered along its path. Each holder adds the facts that it learns. The last holder to
/// drop it writes the event, so a request that is dropped anywhere is recorded too.
#[derive(Clone)]
pub struct Record(Rc<Held>);

struct Held(RefCell<Facts>);

#[derive(Default)]
struct Facts {
    started: Option<Instant>,
    ended: Option<(Instant, SystemTime)>,
    request_id: String,
    method: String,
    route: &'static str,
    subject: Option<String>,
    plan: Option<String>,
    model: Option<String>,
    /// The model's label in the metrics.
    counted_as: Option<Label>,
    container: Option<&'static str>,
    codec: Option<String>,
    audio_ms: Option<u64>,
    bytes: Option<u64>,
    stream: bool,
    status: Option<u16>,
    error: Option<&'static str>,
    course: Option<AttemptLog>,
    provider_request_id: Option<String>,
    provider_status: Option<u16>,
    provider_error_type: Option<String>,
    provider_error_code: Option<String>,
    asked: Option<Instant>,
    provider_time: Option<Duration>,
    first_event: Option<Instant>,
    usage: Option<Usage>,
    outcome: Outcome,
    trace: Trace,
    /// The span of the first step, until the body takes it.
    receiving: Span,
    relaying: Span,
}

impl Record {
    /// Creates the record of a request that starts now.
    pub fn start(request_id: String, method: &str, route: &'static str) -> Self {
        let mut facts = Facts::default();
        (facts.started, facts.request_id) = (Some(Instant::now()), request_id);
        (facts.method, facts.route) = (method.to_owned(), route);
        Self(Rc::new(Held(RefCell::new(facts))))
    }

    /// Returns the time at which the request came.
    pub fn started(&self) -> Instant {
        self.facts().started.unwrap_or_else(Instant::now)
    }

    fn facts(&self) -> Ref<'_, Facts> {
        self.0.0.borrow()
    }

    fn facts_mut(&self) -> RefMut<'_, Facts> {
        self.0.0.borrow_mut()
    }

    /// Returns the request id.
    pub fn request_id(&self) -> String {
        self.facts().request_id.clone()
    }

    /// Records the caller.
    pub fn caller(&self, caller: &Caller) {
        let mut facts = self.facts_mut();
        facts.subject = Some(caller.subject.as_str().to_owned());
        facts.plan = Some(caller.plan.clone());
    }

    /// Records the job's media and options.
    pub fn job(&self, job: &Job) {
        let mut facts = self.facts_mut();
        facts.container = Some(job.media.container.name());
        facts.codec = job.media.codec.as_ref().map(ToString::to_string);
        facts.audio_ms = job.media.length.measured().map(crate::domain::AudioMs::get);
        // While the body arrives, its size is only the client's claim.
        facts.bytes = (!job.audio.is_arriving()).then_some(job.media.bytes);
        facts.stream = job.options.streams();
    }

    /// Records the model entry that the client asked for.
    pub fn model(&self, model: &Model) {
        let mut facts = self.facts_mut();
        facts.model = Some(model.name.clone());
        facts.counted_as = Some(Label::model(model));
    }

    /// Records that the gateway begins to ask providers; `course` counts the attempts from now on.
    pub fn asked(&self, course: AttemptLog) {
        let mut facts = self.facts_mut();
        facts.course = Some(course);
        facts.asked = Some(Instant::now());
    }

    /// Returns the provider that served the request or failed last, and the number of attempts; `None` while that is
    /// open, and if no provider was asked.
    pub fn served(&self) -> Option<(String, u32)> {
        let facts = self.facts();
        let course = facts.course.as_ref().filter(|course| course.is_settled())?;
        Some((course.last()?.provider, course.tries()))
    }

    /// Records the provider's own request id.
    pub fn provider_request_id(&self, id: Option<&str>) {
        self.facts_mut().provider_request_id = id.map(str::to_owned);
    }

    /// Records a provider's refusal: its status, and its own type and code of the error. The message stays out, since
    /// it may quote the request.
    pub fn provider_refused(&self, status: u16, kind: Option<&str>, code: Option<&str>) {
        let mut facts = self.facts_mut();
        facts.provider_status = Some(status);
        facts.provider_error_type = kind.map(str::to_owned);
        facts.provider_error_code = code.map(str::to_owned);
    }

    /// Records the time of a stream's first event.
    pub fn first_event(&self) {
        self.facts_mut().first_event.get_or_insert_with(Instant::now);
    }

    /// Records the end of the provider's answer.
    pub fn provider_finished(&self) {
        let mut facts = self.facts_mut();
        facts.provider_time = facts.asked.map(|asked| asked.elapsed());
    }

    /// Records the usage that the provider reports.
    pub fn usage(&self, usage: Option<Usage>) {
        let mut facts = self.facts_mut();
        facts.usage = usage.or(facts.usage);
    }

    /// Records the status sent to the client.
    pub fn status(&self, status: u16) {
        self.facts_mut().status = Some(status);
    }

    /// Records the code of the error sent to the client.
    pub fn error(&self, code: &'static str) {
        let mut facts = self.facts_mut();
        facts.error = Some(code);
        // The refusal came before the body was read.
        facts.receiving.failed();
    }

    /// Records the outcome. Without it, the outcome is that the client has gone.
    pub fn outcome(&self, outcome: Outcome) {
        let mut facts = self.facts_mut();
        if facts.outcome != Outcome::StreamBroken {
            facts.outcome = outcome;
        }
        if outcome == Outcome::StreamBroken {
            facts.relaying.failed();
        }
    }
}

/// Hands the facts to a task that writes the event, so that the client does not wait for it.
impl Drop for Held {
    fn drop(&mut self) {
        let mut facts = std::mem::take(self.0.get_mut());
        (facts.receiving, facts.relaying) = (Span::default(), Span::default());
        facts.ended = Some((Instant::now(), SystemTime::now()));
        // While the runtime shuts down, it drops the task, which writes the event then.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { drop(facts) }.in_current_span());
        }
    }
}

impl Drop for Facts {
    fn drop(&mut self) {
        let Some((started, (ended, ended_at))) = self.started.zip(self.ended) else { return };
        let whole = ended.saturating_duration_since(started);
        // A provider that was asked and has not finished was busy until now.
        let provider = self.provider_time.or_else(|| self.asked.map(|asked| ended.saturating_duration_since(asked)));
        let (input_tokens, output_tokens, billed_ms) = match self.usage {
            Some(Usage::Tokens { input, output }) => (Some(input), Some(output), None),
            Some(Usage::Length(length)) => (None, None, Some(length.get())),
            None => (None, None, None),
        };
        let asked = self.course.as_ref().and_then(AttemptLog::last);
        // Count before writing the event: a reader of the event can then rely on the metrics.
        self.count(whole, provider.zip(asked.as_ref()));
        self.end_trace(ended_at, asked.as_ref());
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
            provider = asked.as_ref().map(|asked| asked.provider.as_str()),
            key = asked.as_ref().and_then(|asked| asked.key.as_deref()),
            attempts = self.course.as_ref().map(AttemptLog::tries),
            provider_request_id = self.provider_request_id.as_deref(),
            provider_status = self.provider_status,
            provider_error_type = self.provider_error_type.as_deref(),
            provider_error_code = self.provider_error_code.as_deref(),
            provider_ms = provider.map(millis),
            gateway_ms = millis(whole.saturating_sub(provider.unwrap_or_default())),
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
