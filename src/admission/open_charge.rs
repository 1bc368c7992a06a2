//! The charge of a permit while it is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limiter::revise::HeldCharge;
use crate::domain::{AudioMs, Length, Subject, UnixMs};
use crate::ledger::{Charge, PermitId, RequestInfo};
use crate::limits::Revision;
use crate::limits::leases::Granted;
use crate::limits::session::InSession;

/// The charge of an open permit. It can change until the permit is settled: a recording in pieces turns out to be longer
/// than it claimed, or goes in pieces after a provider refused it whole. A clone is a handle to the same charge.
#[derive(Debug, Clone)]
pub struct OpenCharge(Arc<Mutex<PendingCharge>>);

/// The data of the settlement.
#[derive(Debug, Clone)]
pub(super) struct PendingCharge {
    pub(super) id: PermitId,
    pub(super) subject: Subject,
    pub(super) session: Option<InSession>,
    pub(super) at: UnixMs,
    pub(super) info: RequestInfo,
    pub(super) estimate: Charge,
    /// The audio that was taken from the rate.
    pub(super) rated: AudioMs,
    /// The length of the recording, which is charged without a report.
    pub(super) audio: Length,
    /// The number of bytes of text that a provider may bill.
    pub(super) text: u64,
    /// The part of the estimate that this process has allowed without the store, of a permit from the store.
    pub(super) owed: Charge,
    /// The last change of the estimate.
    pub(super) revision: Revision,
    /// The authority that admitted the request.
    pub(super) decided_by: Granted,
}

impl PendingCharge {
    /// Returns the charge that the permit holds.
    pub(super) fn held(&self) -> HeldCharge {
        HeldCharge { charge: self.estimate, owed: self.owed, decided_by: self.decided_by }
    }
}

impl OpenCharge {
    pub(super) fn new(charge: PendingCharge) -> Self {
        Self(Arc::new(Mutex::new(charge)))
    }

    /// Reads part of the charge as it is now.
    pub(super) fn read<T>(&self, of: impl FnOnce(&PendingCharge) -> T) -> T {
        of(&self.lock())
    }

    /// Returns the charge as it is now.
    pub(super) fn get(&self) -> PendingCharge {
        self.lock().clone()
    }

    /// Begins another change, and returns the charge before it.
    pub(super) fn next_revision(&self) -> PendingCharge {
        let mut charge = self.lock();
        charge.revision = charge.revision.next();
        charge.clone()
    }

    /// Takes over the charge that the permit holds after a change was asked for.
    pub(super) fn set_held(&self, held: HeldCharge) {
        let mut charge = self.lock();
        (charge.estimate, charge.owed) = (held.charge, held.owed);
    }

    /// Records that a change was made, by which the permit has taken `rated` from the rate.
    pub(super) fn revised(&self, rated: AudioMs) {
        let mut charge = self.lock();
        charge.rated = charge.rated.max(rated);
    }

    /// Records the length that is charged without a report, and the number of bytes of text that a provider may bill.
    pub(super) fn set_measured_audio(&self, length: Length, text: u64) {
        let mut charge = self.lock();
        (charge.audio, charge.text) = (length, text);
    }

    fn lock(&self) -> MutexGuard<'_, PendingCharge> {
        // A panic under the lock cannot leave a partial change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
