//! A request for a permit.

use std::sync::Arc;

use crate::config::{Model, Plan};
use crate::domain::{AudioMs, Length};
use crate::identity::Caller;
use crate::ledger::Charge;
use crate::limits::AdmitRequest;

/// A request for a permit, and what its settlement needs.
pub(super) struct AskedPermit<'a> {
    pub(super) caller: &'a Caller,
    pub(super) plan: &'a Plan,
    /// The requested model entry.
    pub(super) model: &'a Arc<Model>,
    pub(super) request: AdmitRequest,
    /// The charge of the permit that this one replaces.
    pub(super) replaced: Charge,
    /// The audio that is taken from the rate.
    pub(super) rated: AudioMs,
    /// The length of the recording, which is charged without a report.
    pub(super) audio: Length,
    /// The number of bytes of text that a provider may bill.
    pub(super) text: u64,
}
