//! What a session is made of.

use std::sync::Arc;

use serde_json::Value;

use super::error::LiveFailure;
use super::turn_sender::TurnSender;
use crate::admission::Admission;
use crate::config;
use crate::domain::AudioMs;
use crate::exchange::Exchange;
use crate::identity::Caller;
use crate::ledger::Charge;
use crate::models::TargetChain;
use crate::speech::LiveSound;
use crate::split::join::Times;

/// The parts of a session.
pub struct LiveWork {
    /// `[live]`
    pub settings: config::Live,
    /// Admission by the settings at the opening.
    pub admission: Arc<Admission>,
    /// The caller that opened the session.
    pub caller: Caller,
    /// The model entries.
    pub targets: TargetChain,
    /// The permit and the record of the session.
    pub exchange: Exchange,
    /// The charge that the permit holds: the first slice.
    pub held: Charge,
    /// The audio that is charged ahead.
    pub slice: AudioMs,
    /// The decoder.
    pub sound: LiveSound,
    /// The sender of turns.
    pub sender: TurnSender,
    /// The source of the times of segments.
    pub times: Times,
    /// The largest number of turns that are at providers at the same time.
    pub at_once: usize,
    /// The longest audio of the session.
    pub max_audio: AudioMs,
    /// Writes the members of an error.
    pub describe: fn(&LiveFailure) -> Value,
}
