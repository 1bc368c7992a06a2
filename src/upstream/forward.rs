//! The attempts of one request: sends the job to one provider after another until one answers, and gives up in time.

use super::attempt::Attempt;
use super::candidates::Candidates;
use super::client::Upstream;
use super::error::UpstreamError;
use super::piece_group::PieceGroup;
use super::reply::Reply;
use super::request::{ForwardRequest, Portion};
use super::retry::{self, RetryDecision};

#[cfg(test)]
mod tests;

/// Returns true if a failure counts towards `upstream.max_attempts`. A rate limit slows the pieces of all recordings down
/// together; it fails none of them, unless the account has no money left.
fn counts_as_failure(portion: &Portion, error: &UpstreamError) -> bool {
    !(retry::is_rate_limited(error) && portion.waiting_group().is_some())
}

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
            let decision = attempt.fail(&error);
            failures += u32::from(counts_as_failure(&request.portion, &error));
            if decision == RetryDecision::GiveUp || failures >= request.providers.settings.max_attempts {
                return Err(error);
            }
            candidates.record_failure(error, decision, &request.portion);
            number += 1;
        }
    }
}
