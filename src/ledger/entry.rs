//! One record for each request that was admitted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Usage;
use crate::domain::Subject;
use crate::domain::terms::UnknownVariant;
use crate::domain::{AudioMs, NanoUsd, UnixMs};

/// The name of a permit: by it a settlement is written once, however often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PermitId(Uuid);

impl PermitId {
    /// A new one, that sorts after those before it.
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

/// What one request takes from the monthly budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Charge {
    /// From the budget of money.
    pub usd: NanoUsd,
    /// From the budget of audio.
    pub audio: AudioMs,
}

impl Charge {
    /// Nothing at all.
    pub const NONE: Self = Self { usd: NanoUsd::ZERO, audio: AudioMs::new(0) };

    /// Both together.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self { usd: self.usd.saturating_add(more.usd), audio: self.audio.saturating_add(more.audio) }
    }

    /// What is left of it without `less`.
    #[must_use]
    pub const fn minus(self, less: Self) -> Self {
        Self { usd: self.usd.saturating_sub(less.usd), audio: self.audio.saturating_sub(less.audio) }
    }
}

/// What a record says of the work besides its cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestInfo {
    /// What the client was told, and the log says.
    pub request_id: String,
    /// The plan that the token named.
    pub plan: String,
    /// The model that was asked for.
    pub model: String,
    /// The provider that does the work.
    pub provider: String,
}

/// How a request ended, for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Not yet: it holds its estimate.
    Open,
    /// The provider answered.
    Answered,
    /// The provider refused or failed, or never had the whole recording: nothing is charged.
    Refunded,
    /// The client left while the provider was at work.
    Left,
    /// The provider broke its stream off after some of the transcript had gone out.
    Broken,
    /// Whoever worked on it has died: the estimate stands.
    Abandoned,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 6] = [Self::Open, Self::Answered, Self::Refunded, Self::Left, Self::Broken, Self::Abandoned];

    /// The word that stands for it in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Refunded => "refunded",
            Self::Left => "left",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ending {
    type Err = UnknownVariant;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str = "open, answered, refunded, left, broken, abandoned";
        Self::ALL.into_iter().find(|ending| ending.as_str() == word).ok_or(UnknownVariant { allowed: ALLOWED })
    }
}

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The permit's name.
    pub id: PermitId,
    /// When it was admitted, by the store's clock.
    pub at: UnixMs,
    /// Who asked.
    pub subject: Subject,
    /// For which work.
    pub memo: RequestInfo,
    /// The recording, as measured or bounded.
    pub audio: AudioMs,
    /// What was charged before.
    pub estimate: Charge,
    /// What is charged now.
    pub cost: Charge,
    /// What the provider reported.
    pub usage: Option<Usage>,
    /// How it ended.
    pub ending: Ending,
}
