//! The call of `revise.lua`, and its answer.

use std::time::Duration;

use redis::Value;
use serde::Serialize;

use super::keys::Keys;
use super::months::{KEEP_MONTH, MonthsAround, ms, us};
use super::records::{parsed, revised};
use super::scripts::{Call, Operand};
use super::shared::Shared;
use crate::domain::{AudioMs, NanoUsd, UnixMs};
use crate::ledger::Charge;
use crate::limits::{AccountUsage, Denial, RateReset, ReviseRequest, RevisionDecision, RevisionOutcome};
use crate::store::StoreError;

/// The arguments of `revise.lua`. Times ahead and weights are in µs, other times in ms; `None` is no limit.
#[derive(Serialize)]
struct ReviseArguments {
    id: String,
    revision: u32,
    /// The time, in µs, after which the gateway no longer waits for the answer; `None` while Redis's clock is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
    given_at: UnixMs,
    later_month_from: UnixMs,
    /// What is taken from the rate of audio beyond what the permit has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_capacity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_usd: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_audio: Option<u64>,
    /// The new charge.
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

impl Shared {
    pub(super) fn revise_call(&self, request: &ReviseRequest, keys: &Keys) -> Call {
        let (limits, session) = (&request.limits, request.session.as_ref());
        let months = MonthsAround::new(request.at);
        let caps = session.map(|session| session.caps).unwrap_or_default();
        let arguments = ReviseArguments {
            id: request.id.to_string(),
            revision: request.revision.get(),
            not_after: self.health.time_of(keys.shard(), self.timeout),
            given_at: request.at,
            later_month_from: months.later.start(),
            audio_weight: limits.audio.map(|bucket| us(bucket.weight())),
            audio_capacity: limits.audio.map(|bucket| us(bucket.capacity())),
            max_usd: limits.monthly_usd.map(NanoUsd::get),
            max_audio: limits.monthly_audio.map(AudioMs::get),
            usd: Operand::new(request.charge.usd.get()),
            audio: Operand::new(request.charge.audio.get()),
            lease: ms(request.lease),
            record: revised(&request.entry(), request.revision),
            keep: Operand::new(ms(self.keep)),
            keep_month: Operand::new(ms(KEEP_MONTH)),
            session_until: session.map(|session| session.expires_at.get()),
            max_session_usd: caps.usd.map(NanoUsd::get),
            max_session_audio: caps.audio.map(AudioMs::get),
        };
        let mut names =
            vec![keys.rates(), keys.leases(), keys.open(), keys.month(months.earlier), keys.month(months.later)];
        names.extend(session.map(|session| keys.session(&session.id)));
        Call::new(names, &arguments)
    }

    /// Reads the answer of `revise.lua`, which took `elapsed` to come.
    pub(super) fn revision(
        &self,
        keys: &Keys,
        value: Value,
        elapsed: Duration,
    ) -> Result<RevisionDecision, StoreError> {
        type Answer = (String, u64, u64, u64, u64, u32, u64, u64);
        let (outcome, wait, now, requests, audio, in_flight, usd, spent_audio): Answer = parsed(value)?;
        self.health.record_answer(keys.shard(), now, elapsed);
        let outcome = match outcome.as_str() {
            "" => RevisionOutcome::Charged,
            "closed" => RevisionOutcome::NotOpen,
            name => {
                let denial = Denial::parse(name, Duration::from_micros(wait));
                RevisionOutcome::Denied(denial.ok_or_else(|| StoreError::Corrupt(format!("the denial {name:?}")))?)
            }
        };
        let account = AccountUsage {
            reset: RateReset { requests: Duration::from_micros(requests), audio: Duration::from_micros(audio) },
            in_flight,
            spent: Charge { usd: NanoUsd::new(usd), audio: AudioMs::new(spent_audio) },
        };
        Ok(RevisionDecision { at: UnixMs::new(now / 1000), outcome, account })
    }
}
