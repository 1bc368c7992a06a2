//! One attempt at a provider, from its lease to its result.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use opentelemetry::KeyValue;
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::candidates::LeasedCandidate;
use super::chunks::EventBytes;
use super::client::Upstream;
use super::counts::{count_attempt, count_failure};
use super::error::UpstreamError;
use super::form::ReadFailed;
use super::providers::{Observation, ProviderLease};
use super::reply::{Answer, Reading, Reply};
use super::request::{Deadline, ForwardRequest};
use super::retry::{FailureMeaning, RetryDecision, TimeLeft};
use super::transport::ProviderRequest;
use super::{form, refusal, reply, wire};
use crate::config::Model;
use crate::models::{AttemptEntry, AttemptFailure, AttemptTarget};

/// The number of times that a recording is resent because a pooled connection turned out to be closed.
const MAX_STALE_CONNECTIONS: u32 = 2;

/// An attempt at a provider: the lease of the provider and its key, the model entry, and the entry in the log.
///
/// [`Attempt::succeed`] and [`Attempt::fail`] end it and report the result, once, to the provider's state, the metrics,
/// the log and the trace. An attempt that is dropped, since its client left or it is withdrawn, has no result: the
/// provider's state learns nothing, and the entry in the log says whether the provider has the whole recording.
pub(super) struct Attempt<'a> {
    request: &'a ForwardRequest,
    /// The number of the attempt, counted from one.
    number: u32,
    model: Arc<Model>,
    lease: ProviderLease,
    entry: AttemptEntry,
    /// The deadline of this attempt.
    deadline: Deadline,
}

impl<'a> Attempt<'a> {
    /// Begins an attempt at a leased candidate.
    pub(super) fn begin(request: &'a ForwardRequest, number: u32, candidate: LeasedCandidate) -> Self {
        let LeasedCandidate { lease, model } = candidate;
        let provider = lease.settings().name.clone();
        count_attempt(&provider);
        let key = lease.key_name().map(ToOwned::to_owned);
        let entry = request.log.begin_attempt(AttemptTarget { model: Arc::clone(&model), provider, key });
        Self { request, number, model, lease, entry, deadline: request.attempt_deadline() }
    }

    /// Sends the job, and reads the answer: to its end, or to the first event if it is a stream.
    pub(super) async fn send(&mut self, upstream: &Upstream) -> Result<Reply, UpstreamError> {
        timeout_at(self.deadline.beginning, self.send_and_read(upstream)).await.unwrap_or(Err(UpstreamError::Timeout))
    }

    async fn send_and_read(&mut self, upstream: &Upstream) -> Result<Reply, UpstreamError> {
        let (options, settings) = (&self.request.job.options, &self.request.providers.settings);
        let streamed = options.streams() && self.model.streams;
        let response = self.upload(upstream, streamed).await?;
        let now = (upstream.calendar)();
        if response.status() != StatusCode::OK {
            return Err(UpstreamError::Refused(Box::new(refusal::read(response, &self.lease, now).await)));
        }
        let (format, idle, max_bytes) = (options.format(), settings.idle_timeout, settings.max_answer_bytes);
        let answers = &self.request.answers;
        reply::read(response, &self.lease, &Reading { streamed, format, idle, max_bytes, answers, now }).await
    }

    /// Sends the recording and waits for the head of the answer.
    async fn upload(&mut self, upstream: &Upstream, streamed: bool) -> Result<Response, UpstreamError> {
        let (request, provider) = (self.request, self.lease.settings());
        let url = wire::audio_url(provider, request.job.task, &self.model.upstream_model)?;
        let traceparent = request.span.traceparent();
        let headers = wire::headers(provider, self.lease.secret(), &request.request_id, traceparent.as_deref())?;
        let mut uploaded = self.entry.upload();
        let mut stale_connections = 0;
        loop {
            let read_failed = ReadFailed::default();
            let form = form::build(&request.job, &self.model, &provider.wire, streamed, uploaded, &read_failed);
            let timeout = self.deadline.whole.saturating_duration_since(Instant::now());
            let sent = ProviderRequest { url: url.clone(), headers: headers.clone(), timeout, form };
            let failure = match upstream.transport.send(sent).await {
                Ok(response) => return Ok(response),
                Err(_) if read_failed.is_set() => return Err(UpstreamError::RecordingLost),
                Err(failure) => failure,
            };
            if !failure.was_stale || stale_connections == MAX_STALE_CONNECTIONS {
                return Err(failure.error.logged(&failure.cause));
            }
            stale_connections += 1;
            uploaded = self.entry.restart_upload();
        }
    }

    /// Reports that the provider works. A whole answer is reported at once; a stream at its end, and if the attempt is a
    /// probe of an open circuit, also at once.
    pub(super) fn succeed(mut self, mut reply: Reply) -> Reply {
        reply.answer = match reply.answer {
            Answer::Events { bytes, key } => {
                if self.lease.is_probe() {
                    self.lease.report_interim(Observation::Served);
                }
                let ending = Ending { lease: self.lease, entry: self.entry };
                Answer::Events { bytes: reporting_end(bytes, ending, self.request.client_deadline()), key }
            }
            whole @ Answer::Whole { .. } => {
                self.lease.report(Observation::Served);
                whole
            }
        };
        reply
    }

    /// Reports the failure, and decides on the next step of the request.
    pub(super) fn fail(mut self, error: &UpstreamError) -> FailureMeaning {
        // The answers for other pieces are not this provider's fault.
        if !matches!(error, UpstreamError::TooLargeTogether { .. }) {
            count_failure(&self.lease.settings().name, error);
        }
        let meaning = self.meaning(error);
        self.lease.report(meaning.observation);
        if meaning.decision != RetryDecision::GiveUp {
            self.note_retry(error);
        }
        let failure = self.failure(error);
        self.entry.fail(failure);
        meaning
    }

    /// Returns the kind of failure for accounting.
    fn failure(&self, error: &UpstreamError) -> AttemptFailure {
        let deadline = self.request.deadline;
        match error {
            UpstreamError::RecordingLost => AttemptFailure::Recording,
            UpstreamError::Timeout if (deadline.beginning..deadline.whole).contains(&Instant::now()) => {
                AttemptFailure::ClientDeadline
            }
            _ => AttemptFailure::Provider,
        }
    }

    /// Judges the failure: what it shows about the provider, and the next step of the request.
    fn meaning(&self, error: &UpstreamError) -> FailureMeaning {
        let (now, deadline) = (Instant::now(), self.request.deadline);
        if matches!(error, UpstreamError::Broken | UpstreamError::Timeout) && self.request.job.audio.is_arriving() {
            // The provider may have timed out on a slow client, and would do so again: it waits for the whole recording.
            let (request_id, provider) = (&self.request.request_id, self.lease.settings().name.as_str());
            tracing::warn!(request_id, provider, %error, "a recording went out too slowly");
            return FailureMeaning { observation: Observation::Inconclusive, decision: RetryDecision::GiveUp };
        }
        // A client's short deadline, or time that earlier attempts used up, proves nothing about this provider.
        let had_full_time = self.number == 1 && now >= deadline.whole;
        FailureMeaning::of(error, TimeLeft { deadline_passed: now >= deadline.beginning, had_full_time })
    }

    /// Writes a failed attempt, after which the request goes on, to the log and to the trace.
    fn note_retry(&self, error: &UpstreamError) {
        let (provider, attempt) = (self.lease.settings().name.as_str(), self.number);
        let (kind, code) = error.refused().map_or((None, None), |it| (it.kind.as_deref(), it.code.as_deref()));
        tracing::warn!(request_id = self.request.request_id, provider, key = self.lease.key_name(), attempt, %error,
            provider_error_type = kind, provider_error_code = code, "a try failed");
        self.request.span.event("a try failed", || {
            vec![
                KeyValue::new("voxgate.provider", provider.to_owned()),
                KeyValue::new("voxgate.attempt", i64::from(attempt)),
                KeyValue::new("error.type", error.reason()),
            ]
        });
    }
}

/// A recorder of the result of a stream at its end.
struct Ending {
    lease: ProviderLease,
    entry: AttemptEntry,
}

/// Wraps a stream of events: at its end, or when it breaks, it reports the provider's result. A stream that ends at the
/// client's own deadline says nothing about the provider, which has the whole piece and may have done the work.
fn reporting_end(bytes: EventBytes, ending: Ending, client_deadline: Option<Instant>) -> EventBytes {
    stream::unfold((bytes, Some(ending)), move |(mut bytes, mut ending)| async move {
        let chunk = bytes.next().await;
        if !matches!(chunk, Some(Ok(_)))
            && let Some(Ending { mut lease, entry }) = ending.take()
        {
            let observation = match &chunk {
                Some(Err(UpstreamError::Timeout)) if client_deadline.is_some_and(|at| Instant::now() >= at) => {
                    entry.fail(AttemptFailure::ClientDeadline);
                    Observation::Inconclusive
                }
                Some(Err(error)) => {
                    count_failure(&lease.settings().name, error);
                    Observation::Failed
                }
                _ => Observation::Served,
            };
            lease.report(observation);
        }
        Some((chunk?, (bytes, ending)))
    })
    .boxed()
}
