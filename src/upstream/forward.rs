//! The attempts of one request: sends the job to one provider after another until one answers, and gives up in time.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};

use super::candidates::{Candidates, Selection};
use super::form::ReadFailed;
use super::keyring::CandidateUnavailable;
use super::providers::{Observation, ProviderLease, Providers};
use super::reply::Reading;
use super::retry::{NextStep, Verdict};
use super::{Answer, Reply, Upstream, UpstreamError, form, refusal, reply, reuse, wire};
use crate::config::Model;
use crate::intake::Job;
use crate::models::{AttemptLog, AttemptTarget, TargetChain};
use crate::telemetry::traces::Span;

/// The longest wait for the next usable candidate, whatever a provider says.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The number of times that a recording is resent because a pooled connection turned out to be closed.
const STALE: u32 = 2;

/// The time within which a closed connection shows. A connection that breaks later was open, and the provider may have
/// worked on what it received.
const SHOWS_STALE: Duration = Duration::from_secs(1);

/// The deadline of a request.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// The time by which the whole answer must have arrived.
    pub whole: Instant,
    /// The time by which the beginning of the answer must have arrived: the first event of a stream, or the whole of any
    /// other answer. Not after `whole`; earlier if the client sets a shorter deadline.
    pub beginning: Instant,
}

/// A job to be forwarded, with the state that forwarding needs.
#[derive(Debug)]
pub struct ForwardRequest {
    /// The job.
    pub job: Job,
    /// The model entries that can do it.
    pub routes: TargetChain,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The request id that providers receive.
    pub request_id: String,
    /// The deadline.
    pub deadline: Deadline,
    /// The record of the attempts.
    pub course: AttemptLog,
    /// The trace span of this step; it ends when this value is dropped.
    pub span: Span,
}

/// A candidate that is usable now, with the lease on its provider.
struct Attempt {
    seat: usize,
    pass: ProviderLease,
    model: Arc<Model>,
}

impl Upstream {
    /// Forwards a job: asks one candidate after another until one answers; a stream counts as an answer from its first
    /// event. Dropping the future, or the stream in the reply, cancels the provider's request.
    pub async fn forward(&self, errand: &ForwardRequest) -> Result<Reply, UpstreamError> {
        let answer = self.try_in_turn(errand).await;
        if let Err(error) = &answer {
            errand.course.came_to_nothing();
            errand.span.failed();
            errand.span.set("error.type", error.reason());
        }
        errand.course.settle();
        answer
    }

    async fn try_in_turn(&self, errand: &ForwardRequest) -> Result<Reply, UpstreamError> {
        let mut seats = Candidates::of(&errand.routes, &errand.providers)?;
        let (mut random, deadline) = (fastrand::Rng::new(), errand.deadline);
        let mut failed = None;
        for attempt in 1..=errand.providers.settings.max_attempts {
            let Attempt { seat, mut pass, model } = self.next(&seats, &mut random, deadline, &mut failed).await?;
            pass.count_try();
            let error = match self.ask(errand, &pass, &model).await {
                Ok(reply) => return Ok(served(reply, pass)),
                Err(error) => error,
            };
            pass.count_failure(&error);
            let verdict = judged(errand, &error, attempt);
            pass.shows(verdict.shown);
            match verdict.then {
                NextStep::GiveUp => return Err(error),
                NextStep::TryAgain { scope, told } => {
                    let pause = errand.providers.backoff.jittered(attempt, &mut random);
                    seats.failed(seat, scope, Instant::now() + told.map_or(pause, |told| told.max(pause)));
                }
                NextStep::TryElsewhere { scope } => seats.bar(seat, scope),
            }
            let provider = pass.settings().name.as_str();
            let (kind, code) = error.refused().map_or((None, None), |it| (it.kind.as_deref(), it.code.as_deref()));
            tracing::warn!(request_id = errand.request_id, provider, key = pass.key_name(), attempt, %error,
                provider_error_type = kind, provider_error_code = code, "a try failed");
            note_failure(&errand.span, &pass, attempt, &error);
            failed = Some(error);
        }
        Err(failed.unwrap_or(UpstreamError::NoProvider))
    }

    /// Waits for a usable candidate. The first attempt never waits: the client gets 503 with `Retry-After`. Later
    /// attempts return the last error, `failed`, if the wait is too long.
    async fn next(
        &self,
        seats: &Candidates,
        random: &mut fastrand::Rng,
        deadline: Deadline,
        failed: &mut Option<UpstreamError>,
    ) -> Result<Attempt, UpstreamError> {
        let since = Instant::now();
        loop {
            let now = Instant::now();
            if now >= deadline.beginning {
                return Err(failed.take().unwrap_or(UpstreamError::Timeout));
            }
            let (wait, hindrance) = match seats.next(now, random) {
                Selection::Use(seat) => match seats.ask(seat, now) {
                    Some((pass, model)) => return Ok(Attempt { seat, pass, model }),
                    // Another request was faster; the next pass of the loop sees that.
                    None => continue,
                },
                Selection::Wait(wait, hindrance) => (wait, hindrance),
                Selection::Nobody => (Duration::MAX, CandidateUnavailable::Broken),
            };
            let until = now.checked_add(wait).filter(|until| *until <= (since + LONGEST_WAIT).min(deadline.beginning));
            match (until, failed.take()) {
                (_, None) => return Err(UpstreamError::Unavailable { hindrance, wait }),
                (None, Some(error)) => return Err(error),
                (Some(_), error) => *failed = error,
            }
            sleep(wait).await;
        }
    }

    /// Sends the request to one provider, once.
    async fn ask(
        &self,
        errand: &ForwardRequest,
        pass: &ProviderLease,
        model: &Arc<Model>,
    ) -> Result<Reply, UpstreamError> {
        let options = &errand.job.options;
        let streamed = options.streams() && model.streams;
        let (idle, most) = (errand.providers.settings.idle_timeout, errand.providers.settings.max_answer_bytes);
        let answer = async {
            let response = self.send(errand, pass, model, streamed).await?;
            if response.status() == StatusCode::OK {
                let reading = Reading { streamed, format: options.format(), idle, most };
                reply::read(response, pass, &reading).await
            } else {
                Err(UpstreamError::Refused(Box::new(refusal::read(response, pass).await)))
            }
        };
        timeout_at(errand.deadline.beginning, answer).await.unwrap_or(Err(UpstreamError::Timeout))
    }

    /// Sends the recording and waits for the head of the answer.
    async fn send(
        &self,
        errand: &ForwardRequest,
        pass: &ProviderLease,
        model: &Arc<Model>,
        streamed: bool,
    ) -> Result<Response, UpstreamError> {
        let (job, provider) = (&errand.job, pass.settings());
        let url = wire::audio_url(provider, job.task, &model.upstream_model)?;
        let traceparent = errand.span.traceparent();
        let headers = wire::headers(provider, pass.secret(), &errand.request_id, traceparent.as_deref())?;
        let asked = AttemptTarget {
            model: Arc::clone(model),
            provider: provider.name.clone(),
            key: pass.key_name().map(ToOwned::to_owned),
        };
        let mut sent = errand.course.begin(asked);
        let mut stale = 0;
        loop {
            let lost = ReadFailed::default();
            let form = form::build(job, model, &provider.wire, streamed, sent, &lost);
            let begun = Instant::now();
            let left = errand.deadline.whole.saturating_duration_since(begun);
            let request = self.client.post(url.clone()).headers(headers.clone()).timeout(left);
            let request = request.header(CONTENT_TYPE, form.content_type).header(CONTENT_LENGTH, form.length);
            let request = request.body(form.body);
            let (response, reused) = reuse::noting_reuse(request.send()).await;
            let error = match response {
                Ok(response) => return Ok(response),
                Err(_) if lost.is_set() => return Err(UpstreamError::RecordingLost),
                Err(error) => error,
            };
            if !reused || stale == STALE || error.is_timeout() || begun.elapsed() > SHOWS_STALE {
                return Err(UpstreamError::of(&error));
            }
            // The provider had closed the connection before the request reached it.
            stale += 1;
            sent = errand.course.begin_anew();
        }
    }
}

/// Adds a failed attempt to the trace.
fn note_failure(span: &Span, pass: &ProviderLease, attempt: u32, error: &UpstreamError) {
    span.event("a try failed", || {
        vec![
            KeyValue::new("voxgate.provider", pass.settings().name.clone()),
            KeyValue::new("voxgate.attempt", i64::from(attempt)),
            KeyValue::new("error.type", error.reason()),
        ]
    });
}

/// Judges a failed attempt: its consequences for the next attempt and for the charge.
fn judged(errand: &ForwardRequest, error: &UpstreamError, attempt: u32) -> Verdict {
    let (now, deadline, course) = (Instant::now(), errand.deadline, &errand.course);
    if matches!(error, UpstreamError::Timeout) && (deadline.beginning..deadline.whole).contains(&now) {
        course.leave();
    }
    course.came_to_nothing();
    if !matches!(error, UpstreamError::RecordingLost) {
        course.failed();
    }
    if matches!(error, UpstreamError::Broken | UpstreamError::Timeout) && errand.job.audio.is_arriving() {
        // The provider may have timed out on a slow client, and would do so again: it waits for the whole recording.
        let (request_id, asked) = (&errand.request_id, course.last());
        tracing::warn!(request_id, provider = asked.map(|asked| asked.provider), %error, "a recording went out too slowly");
        return Verdict { shown: Observation::Nothing, then: NextStep::GiveUp };
    }
    // A client's short deadline, or time that earlier attempts used up, proves nothing about this provider.
    let fair = attempt == 1 && now >= deadline.whole;
    Verdict::of(error, now >= deadline.beginning, fair)
}

/// Records that the provider works: at once for a whole answer or for a probe, and at its end for any other stream.
fn served(mut reply: Reply, mut pass: ProviderLease) -> Reply {
    match reply.answer {
        Answer::Events { bytes, key } => {
            if pass.is_trial() {
                pass.shows_so_far(Observation::Served);
            }
            reply.answer = Answer::Events { bytes: reply::watched(bytes, pass), key };
        }
        Answer::Whole { .. } => pass.shows(Observation::Served),
    }
    reply
}
