//! A request that is being received: the early job, and the complete one.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::media::Claim;
use super::recording::Early;
use super::{IntakeError, Job};
use crate::telemetry::traces::{Step, Trace};

/// A request whose body is being read. The body arrives while the caller awaits it.
pub struct Upload<'a> {
    whole: Pin<Box<dyn Future<Output = Result<Job, IntakeError>> + 'a>>,
    early: Early,
}

/// The first result of an upload.
#[derive(Debug)]
pub enum First {
    /// The complete job.
    Whole(Job),
    /// A job whose recording is still arriving. Its options are those received so far, its size is as the client
    /// announced it, and its container and length are as its first bytes claim. Its readers get all but the last byte
    /// until [`Spool::release`](super::Spool::release), so no provider can begin before the gateway has seen the whole
    /// recording.
    Early(Job, Claim),
}

impl<'a> Upload<'a> {
    pub(super) fn new(whole: impl Future<Output = Result<Job, IntakeError>> + 'a, early: Early) -> Self {
        Self { whole: Box::pin(whole), early }
    }

    /// Returns this upload as a step in the trace of its request.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        let Self { whole, early } = self;
        Self { whole: Box::pin(async move { trace.during(Step::TakeIn, whole).await }), early }
    }

    /// Reads until a job is ready, complete or early. The caller calls this once, before [`Upload::whole`].
    pub async fn first(&mut self) -> Result<First, IntakeError> {
        poll_fn(|cx| match self.whole.as_mut().poll(cx) {
            Poll::Ready(whole) => Poll::Ready(whole.map(First::Whole)),
            Poll::Pending => match self.early.take() {
                Some((job, claim)) => Poll::Ready(Ok(First::Early(job, claim))),
                None => Poll::Pending,
            },
        })
        .await
    }

    /// Reads to the end.
    pub async fn whole(mut self) -> Result<Job, IntakeError> {
        self.whole.as_mut().await
    }
}

impl Job {
    /// Returns true if this complete job matches `early`: same task, options, size and container, and no longer than
    /// `early` claimed.
    pub fn fulfils(&self, early: &Self) -> bool {
        let Self { task, options, audio, media, references: _ } = self;
        (task, options, audio.length(), media.container)
            == (&early.task, &early.options, early.audio.length(), early.media.container)
            && self.billed_length().upper_bound() <= early.billed_length().upper_bound()
            && media.length.upper_bound() <= early.media.length.upper_bound()
    }
}
