//! The record of each request: one log event when the last byte of its answer is out or the client is gone. The metrics
//! are counted and the trace ends at the same time.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Instrument;

use super::facts::{Facts, Outcome};

use crate::config::Model;
use crate::domain::AudioMs;
use crate::identity::Caller;
use crate::intake::Job;
use crate::intake::media::{Codec, Container};
use crate::ledger::Usage;
use crate::models::Attempts;
use crate::speech::CutReport;
use crate::telemetry::metrics::Label;
use crate::telemetry::traces::{Span, Step, Trace};

/// The facts of one request, gathered along its path. Each holder adds the facts that it learns. The last holder to
/// drop it writes the event, so a request that is dropped anywhere is recorded too.
#[derive(Clone)]
pub struct Record(Rc<Held>);

struct Held {
    facts: RefCell<Facts>,
    /// The account of the cutting, which is kept until the request is over.
    cutting: RefCell<Option<Rc<Cell<CutReport>>>>,
}

impl Record {
    /// Creates the record of a request that starts now.
    pub fn start(request_id: String, method: &str, route: &'static str) -> Self {
        let mut facts = Facts::default();
        (facts.started, facts.request_id) = (Some(Instant::now()), request_id);
        (facts.method, facts.route) = (method.to_owned(), route);
        Self(Rc::new(Held { facts: RefCell::new(facts), cutting: RefCell::default() }))
    }

    /// Returns the time at which the request came.
    pub fn started(&self) -> Instant {
        self.facts().started.unwrap_or_else(Instant::now)
    }

    pub(super) fn facts(&self) -> Ref<'_, Facts> {
        self.0.facts.borrow()
    }

    fn facts_mut(&self) -> RefMut<'_, Facts> {
        self.0.facts.borrow_mut()
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
        facts.audio_ms = job.media.length.measured().map(AudioMs::get);
        // While the body arrives, its size is only the client's claim.
        facts.bytes = (!job.audio.is_arriving()).then_some(job.media.bytes);
        facts.stream = job.options.streams();
    }

    /// Records the container and the codec of a live session's audio, once they are known.
    pub fn sound(&self, media: Option<(Container, Option<Codec>)>) {
        let Some((container, codec)) = media else { return };
        let mut facts = self.facts_mut();
        if facts.container.is_none() {
            facts.container = Some(container.name());
        }
        if facts.codec.is_none() {
            facts.codec = codec.as_ref().map(ToString::to_string);
        }
    }

    /// Records the length of a live session's audio.
    pub fn audio(&self, length: AudioMs) {
        self.facts_mut().audio_ms = Some(length.get());
    }

    /// Records that the request is one of many of a live session, whose own record says what happens in it: no event is
    /// written for it unless the gateway fails.
    pub fn of_live_session(&self) {
        self.facts_mut().is_of_live_session = true;
    }

    /// Records the model entry that the client asked for.
    pub fn model(&self, model: &Model) {
        let mut facts = self.facts_mut();
        facts.model = Some(model.name.clone());
        facts.counted_as = Some(Label::model(model));
    }

    /// Records that the gateway begins to forward the job; `attempts` counts the attempts from now on.
    pub(super) fn forwarding(&self, attempts: Attempts) {
        let mut facts = self.facts_mut();
        facts.attempts = Some(attempts);
        facts.forwarded = Some(Instant::now());
    }

    /// Returns the provider that served the request or failed last, and the number of attempts. Returns `None`
    /// while an attempt is in progress, and if there was no attempt.
    pub fn served(&self) -> Option<(String, u32)> {
        let facts = self.facts();
        let attempts = facts.attempts.as_ref().filter(|attempts| attempts.are_over())?;
        Some((attempts.last_target()?.provider, attempts.count()))
    }

    /// Records the provider's own request id.
    pub(super) fn provider_request_id(&self, id: Option<&str>) {
        self.facts_mut().provider_request_id = id.map(str::to_owned);
    }

    /// Records a provider's refusal: its status, and its own type and code of the error. The message stays out, since
    /// it may quote the request.
    pub(super) fn provider_refused(&self, status: u16, kind: Option<&str>, code: Option<&str>) {
        let mut facts = self.facts_mut();
        facts.provider_status = Some(status);
        facts.provider_error_type = kind.map(str::to_owned);
        facts.provider_error_code = code.map(str::to_owned);
    }

    /// Records that the recording is cut, with the account of that as it goes on.
    pub fn cutting(&self, report: Rc<Cell<CutReport>>) {
        self.0.cutting.replace(Some(report));
    }

    /// Records that the recording is not cut after all.
    pub fn not_cut(&self) {
        self.0.cutting.replace(None);
    }

    /// Records the time of a stream's first event.
    pub(super) fn first_event(&self) {
        self.facts_mut().first_event.get_or_insert_with(Instant::now);
    }

    /// Records the end of the provider's answer.
    pub(super) fn provider_finished(&self) {
        let mut facts = self.facts_mut();
        facts.provider_time = facts.forwarded.map(|since| since.elapsed());
    }

    /// Records the usage that the provider reports.
    pub(super) fn usage(&self, usage: Option<Usage>) {
        let mut facts = self.facts_mut();
        facts.usage = usage.or(facts.usage);
    }

    /// Attaches the request's trace, which began at `since`.
    pub fn traced(&self, trace: Trace, since: SystemTime) {
        let mut facts = self.facts_mut();
        facts.receiving = trace.since(Step::Receive, since);
        facts.trace = trace;
    }

    /// Returns the request's trace, which is inactive if traces are not configured.
    pub fn trace(&self) -> Trace {
        self.facts().trace.clone()
    }

    /// Takes the span of the first step, to be held until the whole body has arrived.
    pub fn take_receiving(&self) -> Span {
        std::mem::take(&mut self.facts_mut().receiving)
    }

    /// Begins the span for relaying. Called when a provider has answered, or when the client gets its first keep-alive.
    pub(super) fn relaying(&self) {
        let mut facts = self.facts_mut();
        facts.relaying = facts.trace.begin(Step::Relay);
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
        let mut facts = std::mem::take(self.facts.get_mut());
        (facts.receiving, facts.relaying) = (Span::default(), Span::default());
        facts.cut = self.cutting.get_mut().take().map(|report| report.get());
        facts.ended = Some((Instant::now(), SystemTime::now()));
        // While the runtime shuts down, it drops the task, which writes the event then.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { drop(facts) }.in_current_span());
        }
    }
}
