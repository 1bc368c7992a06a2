//! A job whose recording is still arriving, on its way from the reader of the body to the caller.

use std::cell::RefCell;
use std::rc::Rc;

use super::Job;
use super::media::Claim;

/// A job whose recording is still arriving. Its options are those received so far, its size is as the client announced
/// it, and its container and length are as its first bytes claim. Its readers get all but the last byte until
/// [`HeldJob::release`], so no provider can begin before the gateway has seen the whole recording.
#[derive(Debug)]
pub struct EarlyJob {
    /// The job as it seems to be.
    pub job: Job,
    /// The claim of the recording's first bytes.
    pub claim: Claim,
    /// True if nothing of the request is still to come but the recording: its options are final.
    pub is_raw: bool,
}

/// A slot for an early job. It is filled once at most.
#[derive(Clone, Default)]
pub(super) struct EarlySlot(Rc<RefCell<Slot>>);

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Published(Box<EarlyJob>),
    /// The job was taken, or none will be published.
    Closed,
}

impl EarlySlot {
    /// Returns true if a job may still be published.
    pub(super) fn is_empty(&self) -> bool {
        matches!(*self.0.borrow(), Slot::Empty)
    }

    /// Publishes the job.
    pub(super) fn publish(&self, job: EarlyJob) {
        self.0.replace(Slot::Published(Box::new(job)));
    }

    /// Prevents any job from being published.
    pub(super) fn close(&self) {
        self.0.replace(Slot::Closed);
    }

    /// Takes the job, if one was published.
    pub(super) fn take(&self) -> Option<EarlyJob> {
        if self.is_empty() {
            return None;
        }
        match self.0.replace(Slot::Closed) {
            Slot::Published(early) => Some(*early),
            Slot::Empty | Slot::Closed => None,
        }
    }
}
