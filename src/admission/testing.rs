//! A permit of which a test gets the settlement.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Permit;
use super::open_charge::PendingCharge;
use crate::config::Model;
use crate::domain::{AudioMs, Length, NanoUsd, UnixMs};
use crate::ledger::{Charge, PermitId, RequestInfo};
use crate::limits::clock::Clock;
use crate::limits::leases::{Granted, Leases};
use crate::limits::{Revision, Settlement};
use crate::settlement::{Backlog, Settler};
use crate::store::tests::bench::Bench;

/// The settlement of a permit, once it is dropped.
pub(crate) struct Settlements {
    inbox: mpsc::UnboundedReceiver<Settlement>,
    _store: Bench,
}

impl Settlements {
    /// Returns the settlement; `None` while the permit is in use.
    pub(crate) fn next(&mut self) -> Option<Settlement> {
        self.inbox.try_recv().ok()
    }
}

/// Returns a permit for a recording of `length`, granted without the store, so that its settlement is not written.
pub(crate) fn permit(model: &str, length: AudioMs) -> (Permit, Settlements) {
    let (outbox, inbox) = mpsc::unbounded_channel();
    let bench = Bench::embedded();
    let settler = Settler::new(Arc::clone(&bench.store), outbox, Arc::new(Backlog::default()), 10);
    let name = model.to_owned();
    let account = PendingCharge {
        id: PermitId::new(),
        subject: "alice".to_owned().try_into().unwrap(),
        session: None,
        at: UnixMs::new(0),
        info: RequestInfo {
            request_id: String::new(),
            plan: String::new(),
            model: name,
            provider: String::new(),
            pieces: None,
            attempts: None,
        },
        estimate: Charge { usd: NanoUsd::default(), audio: length },
        rated: length,
        audio: Length::Measured(length),
        text: 0,
        owed: Charge::NONE,
        revision: Revision::default(),
        decided_by: Granted::Locally,
    };
    let leases = Arc::new(Leases::new(Clock::system()));
    let permit = Permit::new(Arc::new(Model::unknown(model)), account, settler, leases);
    (permit, Settlements { inbox, _store: bench })
}
