//! The final cost of a permit, as a gateway reports it to a store.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::plan_limits::Limits;
use super::request::AdmitRequest;
use super::session::InSession;
use crate::domain::{AudioMs, Subject, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo, Usage};

/// The final cost of a permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The permit.
    pub id: PermitId,
    /// The caller.
    pub subject: Subject,
    /// The session with caps to which the permit belongs.
    #[serde(default)]
    pub session: Option<InSession>,
    /// The time of admission, which decides the day and the month of the charge.
    pub at: UnixMs,
    /// The description of the request in the ledger.
    #[serde(rename = "memo")]
    pub info: RequestInfo,
    /// The model under which the monthly statement counts it.
    pub counted_as: String,
    /// The length of the recording, as measured or bounded.
    pub audio: AudioMs,
    /// The charge at admission, or by the last revision that this gateway knows of. The store corrects what it has charged
    /// itself.
    pub estimate: Charge,
    /// The final charge, which replaces the estimate.
    pub cost: Charge,
    /// The usage that the provider reported.
    pub usage: Option<Usage>,
    /// The outcome of the request.
    pub ending: Ending,
    /// True if the permit was given without the store, so that the store charged nothing for it.
    pub without_store: bool,
    /// The part of the estimate that this process has allowed without the store, of a permit from the store. It is not
    /// written: no other process counts it.
    #[serde(skip)]
    pub owed: Charge,
    /// The action if the store does not know the permit.
    pub unknown: IfUnknown,
    /// True if an earlier attempt may have written this settlement, although its answer was lost.
    pub tried: bool,
    /// For updates: true if this settlement comes from a version that marks settled permits in the store. Earlier versions
    /// do not mark them, and do not write this field.
    #[serde(default)]
    pub marked: bool,
    /// The refund to the rates, for a settlement that takes everything back.
    #[serde(default)]
    pub rates: RateRefund,
}

/// The parts of the rates that a request has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateRefund {
    /// The time after which its part of the bucket of requests comes back, in microseconds.
    pub requests_us: u64,
    /// The time after which its part of the bucket of audio comes back, in microseconds.
    pub audio_us: u64,
}

impl RateRefund {
    /// Returns everything that a request with these limits takes.
    pub fn from_limits(limits: &Limits) -> Self {
        let weight = |bucket: Option<Bucket>| {
            let us = bucket.map(|bucket| bucket.weight().as_micros()).unwrap_or_default();
            u64::try_from(us).unwrap_or(u64::MAX)
        };
        Self { requests_us: weight(limits.requests), audio_us: weight(limits.audio) }
    }
}

/// The action on a settlement whose permit the store does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IfUnknown {
    /// Charge the cost, since the work was done, unless this very settlement was written before: the permit was given
    /// without the store, or the store lost it.
    Charge,
    /// Charge nothing, since nothing was done.
    Ignore,
}

impl Settlement {
    /// Creates the settlement that writes the record `entry`. Its permit is from the store and of no session with caps,
    /// and counts under the requested model.
    pub fn from_entry(entry: Entry) -> Self {
        let Entry { id, at, subject, info, audio, estimate, cost, usage, ending } = entry;
        Self {
            id,
            subject,
            session: None,
            at,
            counted_as: info.model.clone(),
            info,
            audio,
            estimate,
            cost,
            usage,
            ending,
            without_store: false,
            owed: Charge::NONE,
            unknown: IfUnknown::Charge,
            tried: false,
            marked: true,
            rates: RateRefund::default(),
        }
    }

    /// Takes back everything that the store took for a request, or may still take: the request was refused in the end,
    /// or the client left before the answer. No record of the request remains.
    pub fn void(request: &AdmitRequest, at: UnixMs, rates: RateRefund) -> Self {
        let entry = Entry { cost: Charge::NONE, ending: Ending::Refunded, ..request.entry(at) };
        let session = request.session.clone();
        Self { session, unknown: IfUnknown::Ignore, rates, ..Self::from_entry(entry) }
    }

    /// Settles a permit that a dead gateway left behind. Its estimate stands, also in its session.
    pub fn abandoned(open: Entry) -> Self {
        let entry = Entry { cost: open.estimate, ending: Ending::Abandoned, ..open };
        Self { unknown: IfUnknown::Ignore, ..Self::from_entry(entry) }
    }

    /// Returns true if the settlement takes everything back.
    pub fn is_void(&self) -> bool {
        self.unknown == IfUnknown::Ignore && self.ending == Ending::Refunded
    }

    /// Returns the settlement after a failed attempt to write it, which the store may have written after all.
    #[must_use]
    pub fn after_failure(self, may_be_written: bool) -> Self {
        Self { tried: self.tried || may_be_written, ..self }
    }

    /// Returns the record of the settlement.
    pub fn entry(&self) -> Entry {
        Entry {
            id: self.id,
            at: self.at,
            subject: self.subject.clone(),
            info: self.info.clone(),
            audio: self.audio,
            estimate: self.estimate,
            cost: self.cost,
            usage: self.usage,
            ending: self.ending,
        }
    }
}
