//! A request that is being received: the early job, and the complete one.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::early::{EarlyJob, EarlySlot};
use super::media::{Length, MediaInfo};
use super::spool::HeldSpool;
use super::{IntakeError, Job, Options};
use crate::domain::terms::Task;
use crate::telemetry::traces::{Step, Trace};

/// A request whose body is being read. The body arrives while the caller awaits the result.
pub struct Upload<'a> {
    whole: Whole<'a>,
    early: EarlySlot,
}

type Whole<'a> = Pin<Box<dyn Future<Output = Result<HeldJob, IntakeError>> + 'a>>;

/// The first result of an upload.
pub enum UploadStart<'a> {
    /// The complete job.
    Complete(Job),
    /// A job whose recording is still arriving, and the rest of its upload.
    Early(EarlyJob, UploadRest<'a>),
}

/// The rest of an upload whose job has begun early.
pub struct UploadRest<'a>(Whole<'a>);

/// A complete job whose recording is still held back: early readers lack its last byte. Dropping it withholds that byte
/// for good.
#[derive(Debug)]
pub struct HeldJob {
    job: Job,
    audio: HeldSpool,
}

impl<'a> Upload<'a> {
    pub(super) fn new(whole: impl Future<Output = Result<HeldJob, IntakeError>> + 'a, early: EarlySlot) -> Self {
        Self { whole: Box::pin(whole), early }
    }

    /// Returns this upload as a step in the trace of its request.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        let Self { whole, early } = self;
        Self { whole: Box::pin(async move { trace.during(Step::TakeIn, whole).await }), early }
    }

    /// Reads to the end, without an early job.
    pub async fn whole(self) -> Result<Job, IntakeError> {
        Ok(self.whole.await?.release())
    }

    /// Reads until a job is ready, complete or early.
    pub async fn start(mut self) -> Result<UploadStart<'a>, IntakeError> {
        let early = poll_fn(|cx| match self.whole.as_mut().poll(cx) {
            Poll::Ready(whole) => Poll::Ready(whole.map(Err)),
            Poll::Pending => self.early.take().map_or(Poll::Pending, |early| Poll::Ready(Ok(Ok(early)))),
        });
        Ok(match early.await? {
            Ok(early) => UploadStart::Early(early, UploadRest(self.whole)),
            Err(whole) => UploadStart::Complete(whole.release()),
        })
    }
}

impl UploadRest<'_> {
    /// Reads to the end.
    pub async fn finish(self) -> Result<HeldJob, IntakeError> {
        self.0.await
    }
}

impl HeldJob {
    pub(super) fn new(task: Task, options: Options, audio: HeldSpool, media: MediaInfo, references: Length) -> Self {
        let job = Job { task, options, audio: audio.to_measure().clone(), media, references };
        Self { job, audio }
    }

    /// Returns the job, to be compared and checked; only a released job can be forwarded.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Lets readers have the last byte, and returns the job.
    pub fn release(self) -> Job {
        Job { audio: self.audio.release(), ..self.job }
    }
}
