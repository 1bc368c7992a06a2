//! The attempts of one request: sends the job to one provider after another until one answers, and gives up in time.

use super::attempt::Attempt;
use super::candidates::Candidates;
use super::client::Upstream;
use super::error::UpstreamError;
use super::piece_group::PieceGroup;
use super::reply::Reply;
use super::request::ForwardRequest;
use super::retry::RetryDecision;

#[cfg(test)]
mod tests;

impl Upstream {
    /// Forwards a job: tries one candidate after another until one answers; a stream counts as an answer from its first
    /// event. Dropping the future, or the stream in the reply, cancels the provider's request.
    pub async fn forward(&self, request: &ForwardRequest) -> Result<Reply, UpstreamError> {
        let answer = self.attempt_until_answered(request).await;
        if let Err(error) = &answer {
            request.span.failed();
            request.span.set("error.type", error.reason());
        }
        request.log.finish();
        answer
    }

    async fn attempt_until_answered(&self, request: &ForwardRequest) -> Result<Reply, UpstreamError> {
        let mut candidates = Candidates::new(&request.targets, &request.providers, self.random())?;
        let group = request.portion.group();
        let (mut number, mut failures) = (1, 0);
        loop {
            let candidate = candidates.lease_next(request.deadline, &request.portion).await?;
            let mut attempt = Attempt::begin(request, number, candidate);
            let at_provider = group.map(PieceGroup::begin_attempt);
            let error = match attempt.send(self).await {
                Ok(reply) => {
                    group.inspect(|group| group.record_answer());
                    return Ok(attempt.succeed(reply));
                }
                Err(error) => error,
            };
            drop(at_provider);
            let meaning = attempt.fail(&error);
            // A rate limit slows the pieces of all recordings down together, and fails none of them.
            let waits_for_limit = meaning.is_rate_limited() && request.portion.waiting_group().is_some();
            failures += u32::from(!waits_for_limit);
            if meaning.decision == RetryDecision::GiveUp || failures >= request.providers.settings.max_attempts {
                return Err(error);
            }
            candidates.record_failure(error, &meaning, waits_for_limit);
            number += 1;
        }
    }
}
