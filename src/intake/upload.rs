//! A request on its way in: what can be known of it early, and the whole.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::media::Claim;
use super::recording::Early;
use super::{IntakeError, Job};
use crate::telemetry::traces::{Step, Trace};

/// A request whose body is being read. It arrives while this is waited for.
pub struct Upload<'a> {
    whole: Pin<Box<dyn Future<Output = Result<Job, IntakeError>> + 'a>>,
    early: Early,
}

/// What is there first.
#[derive(Debug)]
pub enum First {
    /// All of it.
    Whole(Job),
    /// A job whose recording is still arriving: its options as far as they have come, its size as the client announced it,
    /// its container and its length as its beginning claims them. Its readers get all but the last byte until
    /// [`Spool::release`](super::Spool::release), so that no provider can begin before the whole has been seen.
    Early(Job, Claim),
}

impl<'a> Upload<'a> {
    pub(super) fn new(whole: impl Future<Output = Result<Job, IntakeError>> + 'a, early: Early) -> Self {
        Self { whole: Box::pin(whole), early }
    }

    /// The same as a step of a request that has a trace.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        let Self { whole, early } = self;
        Self { whole: Box::pin(async move { trace.during(Step::TakeIn, whole).await }), early }
    }

    /// Reads until something can be done with it. To be called once, before [`Upload::whole`].
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
    /// Whether this, the whole, is what `early` was taken for: the same to ask for, and no longer than it claimed to be.
    pub fn fulfils(&self, early: &Self) -> bool {
        let Self { task, options, audio, media, references: _ } = self;
        (task, options, audio.length(), media.container)
            == (&early.task, &early.options, early.audio.length(), early.media.container)
            && self.billed_length().upper_bound() <= early.billed_length().upper_bound()
            && media.length.upper_bound() <= early.media.length.upper_bound()
    }
}
