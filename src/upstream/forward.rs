//! The tries of one request: asks one provider after another until one answers, and gives up in time.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};

use super::form;
use super::form::ReadFailed;
use super::keyring::CandidateUnavailable;
use super::providers::{Observation, ProviderLease, Providers};
use super::reply;
use super::reply::Reading;
use super::candidates::{Candidates, Next};
use super::retry::{NextStep, Verdict};
use super::{Answer, Reply, Upstream, UpstreamError, reuse, refusal, wire};
use crate::config::Model;
use crate::intake::Job;
use crate::models::targets::TargetChain;
use crate::models::{AttemptLog, AttemptTarget};
use crate::telemetry::traces::Span;

/// The longest that a client is kept waiting for somebody to be asked again, whatever a provider says.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often a recording is sent anew because a connection out of the pool turned out to be closed.
const STALE: u32 = 2;

/// How soon that shows: one that breaks later was open, and what came over it may have been worked on.
const SHOWS_STALE: Duration = Duration::from_secs(1);

/// Until when a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// When the whole answer must be there.
    pub whole: Instant,
    /// When its beginning must be there, which is a stream's first event, or all of what is no stream. Not after `whole`:
    /// the client may be in a hurry.
    pub beginning: Instant,
}

/// One piece of work that is to be done by somebody.
#[derive(Debug)]
pub struct ForwardRequest {
    /// The work.
    pub job: Job,
    /// The rows that can do it.
    pub routes: TargetChain,
    /// Those who can be asked.
    pub providers: Arc<Providers>,
    /// What the providers are told to call it.
    pub request_id: String,
    /// Until when.
    pub deadline: Deadline,
    /// Where it is noted how far it has come.
    pub course: AttemptLog,
    /// This step of the request, which ends with the errand.
    pub span: Span,
}

/// Somebody who can be asked now.
struct Attempt {
    seat: usize,
    pass: ProviderLease,
    model: Arc<Model>,
}

impl Upstream {
    /// Has a job done: asks those who can do it, one after another, until one of them answers, which for a stream is its
    /// first event. Dropping the future, or the stream in the reply, cancels the provider's request.
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

    /// Waits until somebody can be asked, if that is not for too long. The first try does not wait: the client hears when
    /// to come back. After that it hears why the last one has `failed`.
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
                Next::AdmitRequest(seat) => match seats.ask(seat, now) {
                    Some((pass, model)) => return Ok(Attempt { seat, pass, model }),
                    // Somebody else was faster; it is seen now.
                    None => continue,
                },
                Next::Wait(wait, hindrance) => (wait, hindrance),
                Next::Nobody => (Duration::MAX, CandidateUnavailable::Broken),
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

    /// Asks one provider once.
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
            let (response, reused) = pooled::noting_reuse(request.send()).await;
            let error = match response {
                Ok(response) => return Ok(response),
                Err(_) if lost.is_set() => return Err(UpstreamError::RecordingLost),
                Err(error) => error,
            };
            if !reused || stale == STALE || error.is_timeout() || begun.elapsed() > SHOWS_STALE {
                return Err(UpstreamError::of(&error));
            }
            // The provider had closed the connection before it could see the request.
            stale += 1;
            sent = errand.course.begin_anew();
        }
    }
}

/// Has the trace show a try that failed.
fn note_failure(span: &Span, pass: &ProviderLease, attempt: u32, error: &UpstreamError) {
    span.event("a try failed", || {
        vec![
            KeyValue::new("voxgate.provider", pass.settings().name.clone()),
            KeyValue::new("voxgate.attempt", i64::from(attempt)),
            KeyValue::new("error.type", error.reason()),
        ]
    });
}

/// What a failed try means, for the next one and for what is owed.
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
        // The provider may have lost patience with a client that is slow, and would again: it is for the whole recording.
        let (request_id, asked) = (&errand.request_id, course.last());
        tracing::warn!(request_id, provider = asked.map(|asked| asked.provider), %error, "a recording went out too slowly");
        return Verdict { shown: Observation::Nothing, then: NextStep::GiveUp };
    }
    // That a client was in a hurry, or that others have used the time up, says nothing of this provider.
    let fair = attempt == 1 && now >= deadline.whole;
    Verdict::of(error, now >= deadline.beginning, fair)
}

/// An answer has shown that its provider works; a stream, only at its end, unless everybody waits to hear.
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
