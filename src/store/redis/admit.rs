//! The call of `admit.lua`, and its answer.

use std::time::Duration;

use redis::Value;
use serde::Serialize;

use super::charge_arguments::ChargeArguments;
use super::keys::Keys;
use super::months::{MonthsAround, ms, us};
use super::records::{open_entry, parsed, written};
use super::scripts::Call;
use super::shared::Shared;
use crate::domain::{AudioMs, NanoUsd, Subject, UnixMs};
use crate::ledger::Charge;
use crate::limits::{AccountUsage, AdmitRequest, Bucket, Decision, Denial, RateReset, Settlement};
use crate::store::StoreError;

/// The time after the end of its lease at which an unsettled permit counts as a dead gateway's: longer than a
/// settlement waits.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// The arguments of `admit.lua`. Times ahead and weights are in µs, other times in ms; `None` is no limit.
#[derive(Serialize)]
struct AdmitArguments {
    id: String,
    /// The time, in µs, after which the gateway no longer waits for the answer; `None` while Redis's clock is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
    months_from: UnixMs,
    later_month_from: UnixMs,
    months_until: UnixMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_capacity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<u32>,
    abandoned_after: u64,
    /// The time of issue of the token, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<u64>,
    #[serde(flatten)]
    charge: ChargeArguments,
}

impl Shared {
    pub(super) fn admit_call(&self, request: &AdmitRequest, keys: &Keys) -> Call {
        let (limits, session, shard) = (&request.limits, request.session.as_ref(), keys.shard());
        let now = self.time(shard);
        let months = MonthsAround::new(now);
        let (weight, capacity) = (|bucket: Bucket| us(bucket.weight()), |bucket: Bucket| us(bucket.capacity()));
        let arguments = AdmitArguments {
            id: request.id.to_string(),
            not_after: self.health.time_of(shard, self.timeout),
            months_from: months.earlier.start(),
            later_month_from: months.later.start(),
            months_until: months.later.next().start(),
            requests_weight: limits.requests.map(weight),
            requests_capacity: limits.requests.map(capacity),
            max_in_flight: limits.concurrent.map(std::num::NonZeroU32::get),
            abandoned_after: ms(ABANDONED_AFTER),
            issued_at: request.token.issued_at,
            charge: ChargeArguments::new(
                request.estimate,
                limits,
                session,
                request.lease,
                written(&request.entry(now)),
                self.keep,
            ),
        };
        let mut names = keys.of_charge(months, &request.token);
        names.push(session.map_or_else(|| keys.revoked(None), |session| keys.session(&session.id)));
        names.push(keys.tag().closed());
        Call::new(names, &arguments)
    }

    /// Reads the answer of `admit.lua`, which took `elapsed` to come.
    pub(super) fn decision(
        &self,
        request: &AdmitRequest,
        keys: &Keys,
        value: Value,
        elapsed: Duration,
    ) -> Result<Decision, StoreError> {
        type Answer = (String, u64, u64, u64, u64, u32, u64, u64, Vec<String>);
        let (denial, wait, now, requests, audio, in_flight, usd, spent_audio, dead): Answer = parsed(value)?;
        self.health.record_answer(keys.shard(), now, elapsed);
        self.settle_abandoned(&request.subject, &dead)?;
        let denial = match denial.as_str() {
            "" => None,
            name => {
                let denial = Denial::parse(name, Duration::from_micros(wait));
                Some(denial.ok_or_else(|| StoreError::Corrupt(format!("the denial {name:?}")))?)
            }
        };
        let account = AccountUsage {
            reset: RateReset { requests: Duration::from_micros(requests), audio: Duration::from_micros(audio) },
            in_flight,
            spent: Charge { usd: NanoUsd::new(usd), audio: AudioMs::new(spent_audio) },
        };
        Ok(Decision { at: UnixMs::new(now / 1000), denial, account })
    }

    /// Settles the permits that dead gateways left behind, given as pairs of id and record.
    fn settle_abandoned(&self, subject: &Subject, dead: &[String]) -> Result<(), StoreError> {
        for pair in dead.chunks_exact(2) {
            let [id, record] = pair else { continue };
            // Sending fails only when the gateway ends; the next gateway settles the permit then.
            let _ = self.abandoned.send(Settlement::abandoned(open_entry(subject, id, record)?));
        }
        Ok(())
    }
}

/// The names of denials in `admit.lua` are those of [`Denial::parse`].
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denial_of_the_script_is_known() {
        let script = include_str!("admit.lua");
        let names: Vec<_> =
            script.split("denial = '").skip(1).chain(script.split("denial, wait = '").skip(1)).collect();
        let names: Vec<_> =
            names.iter().filter_map(|rest| rest.split('\'').next()).filter(|name| !name.is_empty()).collect();
        assert_eq!(names.len(), 7, "{names:?}");
        assert!(names.iter().all(|name| Denial::parse(name, Duration::ZERO).is_some()), "{names:?}");
    }
}
