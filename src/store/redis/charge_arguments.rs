//! The arguments that the scripts share that charge a permit.

use std::time::Duration;

use serde::Serialize;

use super::months::{KEEP_MONTH, ms, us};
use super::scripts::Operand;
use crate::domain::{AudioMs, NanoUsd};
use crate::ledger::Charge;
use crate::limits::Limits;
use crate::limits::session::InSession;

/// The charge of a permit, and the limits that it must keep.
#[derive(Debug, Serialize)]
pub(super) struct ChargeArguments {
    /// The audio that is taken from the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_capacity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_usd: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_audio: Option<u64>,
    /// The charge.
    usd: Operand,
    audio: Operand,
    lease: u64,
    /// The record of the open permit.
    record: String,
    keep: Operand,
    keep_month: Operand,
    /// The end of the session; `None`: no session with caps.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_usd: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_audio: Option<u64>,
}

impl ChargeArguments {
    /// Makes the arguments for `charge`, which `limits` and `session` must allow. `record` is that of the open permit, and
    /// `keep` the time for which it is kept.
    pub(super) fn new(
        charge: Charge,
        limits: &Limits,
        session: Option<&InSession>,
        lease: Duration,
        record: String,
        keep: Duration,
    ) -> Self {
        let caps = session.map(|session| session.caps).unwrap_or_default();
        Self {
            audio_weight: limits.audio.map(|bucket| us(bucket.weight())),
            audio_capacity: limits.audio.map(|bucket| us(bucket.capacity())),
            max_usd: limits.monthly_usd.map(NanoUsd::get),
            max_audio: limits.monthly_audio.map(AudioMs::get),
            usd: Operand::new(charge.usd.get()),
            audio: Operand::new(charge.audio.get()),
            lease: ms(lease),
            record,
            keep: Operand::new(ms(keep)),
            keep_month: Operand::new(ms(KEEP_MONTH)),
            session_until: session.map(|session| session.expires_at.get()),
            max_session_usd: caps.usd.map(NanoUsd::get),
            max_session_audio: caps.audio.map(AudioMs::get),
        }
    }
}
