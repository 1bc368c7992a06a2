//! The call of `revise.lua`, and its answer.

use std::time::Duration;

use redis::Value;
use serde::Serialize;

use super::charge_arguments::ChargeArguments;
use super::keys::Keys;
use super::months::MonthsAround;
use super::records::{parsed, revised};
use super::scripts::Call;
use super::shared::Shared;
use crate::domain::{AudioMs, NanoUsd, UnixMs};
use crate::ledger::Charge;
use crate::limits::{AccountUsage, Denial, RateReset, ReviseRequest, RevisionDecision, RevisionOutcome};
use crate::store::StoreError;

/// The arguments of `revise.lua`. The audio that is taken from the rate is what the permit has not taken. Times ahead and weights are in µs, other times in ms; `None` is no limit.
#[derive(Serialize)]
struct ReviseArguments {
    id: String,
    revision: u32,
    /// The time, in µs, after which the gateway no longer waits for the answer; `None` while Redis's clock is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
    given_at: UnixMs,
    /// The time of issue of the token, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<u64>,
    later_month_from: UnixMs,
    #[serde(flatten)]
    charge: ChargeArguments,
}

impl Shared {
    pub(super) fn revise_call(&self, request: &ReviseRequest, keys: &Keys) -> Call {
        let session = request.session.as_ref();
        let months = MonthsAround::new(request.at);
        let arguments = ReviseArguments {
            id: request.id.to_string(),
            revision: request.revision.get(),
            not_after: self.health.time_of(keys.shard(), self.timeout),
            given_at: request.at,
            issued_at: request.token.issued_at,
            later_month_from: months.later.start(),
            charge: ChargeArguments::new(
                request.charge,
                &request.limits,
                session,
                request.lease,
                revised(&request.entry(), request.revision),
                self.keep,
            ),
        };
        let mut names = keys.of_charge(months, &request.token);
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
