//! What a permit comes to in the end, as it is told to a store.

use serde::{Deserialize, Serialize};

use crate::domain::Subject;
use crate::domain::{AudioMs, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo, Usage};
use crate::limits::session::InSession;
use crate::limits::{AdmitRequest, Bucket, Limits};

/// What a permit comes to in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The permit.
    pub id: PermitId,
    /// Whose it is.
    pub subject: Subject,
    /// The session with caps that it belongs to.
    #[serde(default)]
    pub session: Option<InSession>,
    /// When it was admitted: its day and month are those of this moment.
    pub at: UnixMs,
    /// For which work.
    pub memo: RequestInfo,
    /// The model under which a month's account counts it.
    pub counted_as: String,
    /// The recording, as measured or bounded.
    pub audio: AudioMs,
    /// What was charged.
    pub estimate: Charge,
    /// What is to be charged instead.
    pub cost: Charge,
    /// What the provider reported.
    pub usage: Option<Usage>,
    /// How it ended.
    pub ending: Ending,
    /// Whether the permit was given without the store, so that nothing was charged for it.
    pub without_store: bool,
    /// What to do where the store does not know the permit.
    pub unknown: IfUnknown,
    /// Whether it may have been written before without anybody hearing of it.
    pub tried: bool,
    /// Whether every gateway that may have written it marks what it settles. Earlier gateways do not, and leave this
    /// out.
    #[serde(default)]
    pub marked: bool,
    /// For one that takes everything back: what that gives back to the rates.
    #[serde(default)]
    pub rates: RateRefund,
}

/// What a request has taken from the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateRefund {
    /// How long its part of the bucket of requests needs to come back, in microseconds.
    pub requests_us: u64,
    /// The same for the bucket of audio.
    pub audio_us: u64,
}

impl RateRefund {
    /// All that a request with these limits takes.
    pub fn of(limits: &Limits) -> Self {
        let weight = |bucket: Option<Bucket>| {
            let us = bucket.map(|bucket| bucket.weight().as_micros()).unwrap_or_default();
            u64::try_from(us).unwrap_or(u64::MAX)
        };
        Self { requests_us: weight(limits.requests), audio_us: weight(limits.audio) }
    }
}

/// What to do with a settlement whose permit the store does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IfUnknown {
    /// The work was done, so it is charged now, unless this very settlement was written before: the permit was given
    /// without the store, or the store lost it.
    Charge,
    /// Nothing was done, so nothing is.
    Ignore,
}

impl Settlement {
    /// Takes back everything that the store took for a question, or may still take: it was refused in the end, or nobody
    /// waited for the answer. No record says that it was ever asked.
    pub fn void(ask: &AdmitRequest, at: UnixMs, rates: RateRefund) -> Self {
        Self {
            id: ask.id,
            subject: ask.subject.clone(),
            session: ask.session.clone(),
            at,
            memo: ask.memo.clone(),
            counted_as: ask.memo.model.clone(),
            audio: ask.estimate.audio,
            estimate: ask.estimate,
            cost: Charge::NONE,
            usage: None,
            ending: Ending::Refunded,
            without_store: false,
            unknown: IfUnknown::Ignore,
            tried: false,
            marked: true,
            rates,
        }
    }

    /// Whether it is one that takes everything back.
    pub fn is_void(&self) -> bool {
        self.unknown == IfUnknown::Ignore && self.ending == Ending::Refunded
    }

    /// The same after an attempt to write it that failed; the store may have written it all the same.
    #[must_use]
    pub fn after_failure(self, may_be_written: bool) -> Self {
        Self { tried: self.tried || may_be_written, ..self }
    }

    /// Its record.
    pub fn entry(&self) -> Entry {
        Entry {
            id: self.id,
            at: self.at,
            subject: self.subject.clone(),
            memo: self.memo.clone(),
            audio: self.audio,
            estimate: self.estimate,
            cost: self.cost,
            usage: self.usage,
            ending: self.ending,
        }
    }
}
