//! Ledger records: one for each admitted request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Usage;
use crate::domain::words::words;
use crate::domain::{AudioMs, NanoUsd, Subject, UnixMs};

/// The id of a permit. It ensures that a settlement is written once, even after several attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PermitId(Uuid);

impl PermitId {
    /// Makes a new id, which sorts after earlier ones.
    #[allow(clippy::new_without_default)] // Two defaults would not be equal.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for PermitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for PermitId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The charge of one request on the monthly budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Charge {
    /// The charge on the budget of money.
    pub usd: NanoUsd,
    /// The charge on the budget of audio.
    pub audio: AudioMs,
}

impl Charge {
    /// No charge.
    pub const NONE: Self = Self { usd: NanoUsd::ZERO, audio: AudioMs::new(0) };

    /// Adds two charges.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self { usd: self.usd.saturating_add(more.usd), audio: self.audio.saturating_add(more.audio) }
    }

    /// Subtracts `less`, down to zero.
    #[must_use]
    pub const fn minus(self, less: Self) -> Self {
        Self { usd: self.usd.saturating_sub(less.usd), audio: self.audio.saturating_sub(less.audio) }
    }
}

/// The part of a record that describes the request, apart from its cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestInfo {
    /// The request id in the answer and in the log.
    pub request_id: String,
    /// The plan named in the token.
    pub plan: String,
    /// The requested model.
    pub model: String,
    /// The provider of the work.
    pub provider: String,
    /// The number of pieces in which the recording went to providers; `None` if it went as it was, and while the request
    /// is in progress. Records of earlier versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u32>,
    /// The number of attempts at providers, those of all pieces together; `None` while the request is in progress. Records
    /// of earlier versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
}

/// The ending of a request, for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The request is in progress and holds its estimate.
    Open,
    /// The provider answered.
    Answered,
    /// The provider refused or failed, or never had the whole recording: no charge.
    Refunded,
    /// The client left while the provider was working.
    Left,
    /// The provider broke off its stream after part of the transcript had been sent, or some pieces of the recording were
    /// heard and others were not.
    Broken,
    /// The gateway that handled it died: the estimate is charged.
    Abandoned,
}

words!(Ending {
    Open = "open",
    Answered = "answered",
    Refunded = "refunded",
    Left = "left",
    Broken = "broken",
    Abandoned = "abandoned",
});

/// A record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The permit's id.
    pub id: PermitId,
    /// The time of admission, by the store's clock.
    pub at: UnixMs,
    /// The caller.
    pub subject: Subject,
    /// The request.
    #[serde(rename = "memo")]
    pub info: RequestInfo,
    /// The length of the recording, measured or bounded.
    pub audio: AudioMs,
    /// The estimate that was charged at admission.
    pub estimate: Charge,
    /// The current charge.
    pub cost: Charge,
    /// The usage that the provider reported.
    pub usage: Option<Usage>,
    /// The ending.
    pub ending: Ending,
}

impl Entry {
    /// Makes the record of a request in progress, of which `charge` is held.
    pub fn open(id: PermitId, at: UnixMs, subject: Subject, info: RequestInfo, charge: Charge) -> Self {
        let (audio, estimate, cost) = (charge.audio, charge, charge);
        Self { id, at, subject, info, audio, estimate, cost, usage: None, ending: Ending::Open }
    }
}
