//! Early forwarding: a large recording goes to a provider while it is still arriving.
//!
//! The gateway admits the job by the length that the recording's first bytes claim, and sends it on without its last
//! byte. A provider cannot begin before it has that byte, so the gateway decides with the whole recording in hand:
//!
//! - [`EarlyForward::confirm`]: the recording is as claimed. The provider gets the last byte.
//! - [`EarlyForward::restart`]: the job differs, or the provider ended the slow upload, and the charge covers the job. It
//!   is sent again, whole.
//! - [`EarlyForward::readmit`]: the job costs more than was charged. It is admitted anew, and sent again.
//! - [`EarlyForward::divide`]: the recording goes in pieces after all. The permit is charged for them, and they are sent.
//!
//! Each consumes the early forward. Dropping it instead, because the upload or the provider fails or the client leaves,
//! cancels the provider's request: the last byte is never released, so nothing is charged.

use std::future::{poll_fn, ready};
use std::pin::pin;
use std::task::Poll;

use super::dispatch::{Admitted, Dispatch, InFlight, split_if_refused};
use super::early_pieces::EarlyPieces;
use super::error::ApiError;
use super::pieces;
use crate::domain::Length;
use crate::exchange::Exchange;
use crate::intake::{EarlyJob, HeldJob, Job, UploadRest};
use crate::models::TargetChain;
use crate::relay::TranscriptFuture;
use crate::split::TranscriptError;
use crate::upstream::UpstreamError;

/// A job that is being forwarded while its recording arrives.
pub(super) struct EarlyForward<'a> {
    dispatch: &'a Dispatch<'a>,
    in_flight: InFlight,
    /// The job as its beginning claims it to be.
    claimed: Job,
    /// The models that can do the claimed job.
    targets: TargetChain,
    /// True if the provider has ended its request before the recording was complete.
    provider_ended: bool,
}

/// The result of the comparison of a complete job with its claim.
enum Comparison {
    /// The job is as claimed.
    AsClaimed,
    /// The job differs, and the permit covers it with these models, to which it goes as it is.
    Covered(TargetChain),
    /// The job differs, and the permit does not cover it with these models.
    NotCovered(TargetChain),
    /// The recording goes in pieces, which cost something else and take longer than the permit's lease.
    InPieces(TargetChain),
}

impl Dispatch<'_> {
    /// Admits a job by its claim and forwards it while its recording arrives. A job that its claim does not admit waits
    /// for the whole recording.
    pub(super) async fn dispatch_early(&self, early: EarlyJob, rest: UploadRest<'_>) -> Result<InFlight, ApiError> {
        let Some((job, targets)) = self.as_claimed(&early) else {
            return self.dispatch(rest.finish().await?.release()).await;
        };
        if targets.pieces.is_some() {
            return match EarlyPieces::begin(self, job, targets).await {
                Some(pieces) => Box::pin(pieces.finish(rest)).await,
                None => self.dispatch(rest.finish().await?.release()).await,
            };
        }
        let Some(early) = EarlyForward::begin(self, early.job, job, targets).await else {
            return self.dispatch(rest.finish().await?.release()).await;
        };
        let (early, whole) = early.receive(rest).await?;
        match early.compare(&whole)? {
            Comparison::AsClaimed => Ok(early.confirm(whole)),
            Comparison::Covered(targets) => Ok(early.restart(whole, targets)),
            // Boxed, here and where the handler calls this: a future is as large as its largest branch.
            Comparison::InPieces(targets) => Box::pin(early.divide(whole, targets)).await,
            Comparison::NotCovered(targets) => Box::pin(early.readmit(whole, targets)).await,
        }
    }
}

impl Dispatch<'_> {
    /// Returns the job that an early job seems to be, and the models that can do it; `None` if its claim is not good
    /// enough to begin with. A length that the header states is. A bound that may be far above the length is good enough
    /// only for a caller with far more than that left. Pieces are sent early only of a body that has nothing but the recording: the
    /// options in a form may still change.
    fn as_claimed(&self, EarlyJob { job, claim, is_raw }: &EarlyJob) -> Option<(Job, TargetChain)> {
        let admission = &self.context.state().admission;
        let mut job = job.clone();
        job.default_stream(self.prefers_events);
        self.context.record().job(&job);
        let mut believed = job.clone();
        if claim.is_stated {
            // What is too long for its model goes in pieces. A mere bound does not show that.
            believed.media.length = Length::Measured(claim.length);
        }
        let targets = admission.targets(self.caller, &believed).ok()?;
        let pieces = self.planned_pieces(&job, &targets);
        let is_charged = claim.is_stated || admission.has_budget_headroom(self.caller, &job, pieces);
        let is_final = *is_raw || targets.pieces.is_none();
        (is_charged && is_final).then_some((job, targets))
    }
}

impl<'a> EarlyForward<'a> {
    /// Admits a job by its claim and begins to forward it; `None` if the claim does not admit it.
    async fn begin(dispatch: &'a Dispatch<'a>, claimed: Job, job: Job, targets: TargetChain) -> Option<Self> {
        let admitted = dispatch.admit_to(&job, targets).await.ok()?;
        let targets = admitted.targets.clone();
        let in_flight = dispatch.forward(job, admitted);
        Some(Self { dispatch, in_flight, claimed, targets, provider_ended: false })
    }

    /// Reads the rest of the upload while the job is being forwarded. Fails if either fails.
    async fn receive(mut self, rest: UploadRest<'_>) -> Result<(Self, HeldJob), ApiError> {
        let mut whole = pin!(rest.finish());
        let mut reply = None;
        let may_be_split = pieces::is_worth_splitting(&self.claimed);
        let whole = poll_fn(|cx| {
            // The upload is polled first, since an upload that breaks off also breaks its forwarding.
            if let Poll::Ready(whole) = whole.as_mut().poll(cx) {
                return Poll::Ready(whole.map_err(ApiError::from));
            }
            if reply.is_none()
                && let Poll::Ready(answer) = self.in_flight.forwarding.as_mut().poll(cx)
            {
                match answer {
                    // Early bytes can be mistaken for another format; the whole recording decides.
                    Ok(_) | Err(TranscriptError::Provider(UpstreamError::RecordingLost | UpstreamError::Broken)) => {
                        reply = Some(answer);
                    }
                    // It may be split once it is whole.
                    Err(TranscriptError::Provider(ref error)) if may_be_split && error.is_too_long() => {
                        reply = Some(answer);
                    }
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
            }
            Poll::Pending
        })
        .await?;
        // A provider that ends slow uploads is asked again with the whole recording.
        self.provider_ended = matches!(reply, Some(Err(TranscriptError::Provider(UpstreamError::Broken))));
        if let Some(answer) = reply {
            self.in_flight.forwarding = Box::pin(ready(answer));
        }
        Ok((self, whole))
    }

    /// Compares the complete job with its claim. The choice of models depends on the measured length, which is known
    /// only now.
    fn compare(&self, whole: &HeldJob) -> Result<Comparison, ApiError> {
        let admission = &self.dispatch.context.state().admission;
        let mut job = whole.job().clone();
        let is_as_claimed = !self.provider_ended && job.matches_claim(&self.claimed);
        job.default_stream(self.dispatch.prefers_events);
        self.dispatch.context.record().job(&job);
        let targets = admission.targets(self.dispatch.caller, &job)?;
        let planned = self.dispatch.planned_pieces(&job, &targets);
        Ok(if is_as_claimed && targets.are(&self.targets) {
            Comparison::AsClaimed
        } else if planned.is_some() {
            Comparison::InPieces(targets)
        } else if admission.covers(self.in_flight.exchange.permit(), &targets, &job, None) {
            Comparison::Covered(targets)
        } else {
            Comparison::NotCovered(targets)
        })
    }

    /// Lets the provider have the last byte. Without a report of the provider, the measured length is charged.
    fn confirm(self, whole: HeldJob) -> InFlight {
        let Self { dispatch, mut in_flight, .. } = self;
        let job = dispatch.released(whole);
        in_flight.exchange.measured(job.billed_length(), job.options.text_bytes());
        let in_pieces = dispatch.in_pieces_if_refused(&job, &in_flight.exchange);
        in_flight.forwarding = split_if_refused(in_flight.forwarding, in_pieces);
        in_flight
    }

    /// Sends the whole job anew, under the same permit. The usual reason is a field after the recording.
    fn restart(self, whole: HeldJob, targets: TargetChain) -> InFlight {
        let dispatch = self.dispatch;
        let (mut exchange, job) = (self.cancel(), dispatch.released(whole));
        exchange.measured(job.billed_length(), job.options.text_bytes());
        dispatch.forward(job, Admitted { targets, exchange, room: None })
    }

    /// Admits the whole job in place of the claimed one, and sends it anew.
    async fn readmit(self, whole: HeldJob, targets: TargetChain) -> Result<InFlight, ApiError> {
        let dispatch = self.dispatch;
        let (exchange, job) = (self.cancel(), dispatch.released(whole));
        let admitted = dispatch.readmit(&job, targets, exchange.into_permit()).await?;
        Ok(dispatch.forward(job, admitted))
    }

    /// Sends the whole job in pieces under the same permit, whose charge and lease become theirs first.
    async fn divide(self, whole: HeldJob, targets: TargetChain) -> Result<InFlight, ApiError> {
        let dispatch = self.dispatch;
        let (exchange, job) = (self.cancel(), dispatch.released(whole));
        let admitted = dispatch.admit_pieces(&job, targets, exchange).await?;
        Ok(dispatch.forward(job, admitted))
    }

    /// Cancels the provider's request, whose attempt then does not count, and returns the exchange.
    fn cancel(self) -> Exchange {
        let InFlight { mut exchange, forwarding, .. } = self.in_flight;
        drop::<TranscriptFuture>(forwarding);
        exchange.withdraw();
        exchange
    }
}

impl Dispatch<'_> {
    fn released(&self, whole: HeldJob) -> Job {
        let mut job = whole.release();
        job.default_stream(self.prefers_events);
        job
    }
}

#[cfg(test)]
mod tests;
