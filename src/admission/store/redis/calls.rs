//! What the scripts are asked and what they answer, in the gateway's own types.

use std::time::Duration;

use redis::Value;

use super::super::{Settlement, StoreFailure, Unknown};
use super::keys::Keys;
use super::records::{open_entry, parsed, written};
use super::{Call, Shared};
use crate::admission::limits::{Ask, Bucket, Decision, Denial, Standing};
use crate::identity::Subject;
use crate::ledger::{Charge, Ending};
use crate::units::{AudioMs, Month, NanoUsd, UnixMs};

/// How far the clocks of the gateway and of Redis may differ.
pub(super) const CLOCKS_APART: Duration = Duration::from_hours(12);
/// How far the time of a permit may be ahead of Redis's clock: one that Redis gave, and one that the gateway gave by
/// itself, perhaps before it had ever heard from Redis.
const SAME_CLOCK: Duration = Duration::from_mins(1);
const OWN_CLOCK: Duration = Duration::from_hours(1);
/// How long after its lease a permit that is not settled counts as a dead gateway's: longer than a settlement waits.
const ABANDONED: Duration = Duration::from_hours(24);
/// How long the sums of a month are kept.
const KEEP_MONTH: Duration = Duration::from_hours(24 * 400);

impl Shared {
    pub(super) fn admit_call(&self, ask: &Ask, keys: &Keys) -> Call {
        let (limits, part) = (&ask.limits, keys.part());
        let now = self.time(part);
        let (earlier, later) = months_around(now);
        let token = ask.token.id.as_deref();
        let names = vec![
            keys.rates(),
            keys.leases(),
            keys.open(),
            keys.month(earlier),
            keys.month(later),
            keys.revoked(None),
            keys.revoked(token),
            ask.session.as_ref().map_or_else(|| keys.revoked(None), |session| keys.session(&session.id)),
        ];
        let session = ask.session.as_ref();
        let time = |bucket: Option<Bucket>, of: fn(&Bucket) -> Duration| optional(bucket.map(|b| of(&b).as_micros()));
        let arguments = vec![
            ask.id.to_string(),
            self.health.time_of(part, self.timeout).unwrap_or_default().to_string(),
            earlier.start().get().to_string(),
            later.start().get().to_string(),
            later.next().start().get().to_string(),
            time(limits.requests, Bucket::weight),
            time(limits.requests, Bucket::capacity),
            time(limits.audio, Bucket::weight),
            time(limits.audio, Bucket::capacity),
            optional(limits.concurrent),
            optional(limits.monthly_usd.map(NanoUsd::get)),
            optional(limits.monthly_audio.map(AudioMs::get)),
            ask.estimate.usd.get().to_string(),
            ask.estimate.audio.get().to_string(),
            ms(ask.lease),
            written(&ask.entry(now)),
            ms(ABANDONED),
            ms(self.keep),
            ms(KEEP_MONTH),
            optional(ask.token.issued_at),
            optional(session.map(|session| session.expires_at.get())),
            optional(session.and_then(|session| session.caps.usd).map(NanoUsd::get)),
            optional(session.and_then(|session| session.caps.audio).map(AudioMs::get)),
        ];
        (names, arguments)
    }

    pub(super) fn decision(
        &self,
        ask: &Ask,
        keys: &Keys,
        value: Value,
        took: Duration,
    ) -> Result<Decision, StoreFailure> {
        type Answer = (String, u64, u64, u64, u64, u32, u64, u64, Vec<String>);
        let (denial, wait, now, requests, audio, in_flight, usd, spent_audio, dead): Answer = parsed(value)?;
        self.health.answered(keys.part(), now, took);
        self.bury(&ask.subject, &dead)?;
        let wait = Duration::from_micros(wait);
        let denial = match denial.as_str() {
            "" => None,
            "revoked" => Some(Denial::Revoked),
            "requests" => Some(Denial::Requests { wait }),
            "audio" => Some(Denial::Audio { wait }),
            "concurrency" => Some(Denial::Concurrency),
            "usd" => Some(Denial::MonthlyUsd),
            "minutes" => Some(Denial::MonthlyAudio),
            "session" => Some(Denial::Session),
            other => return Err(StoreFailure::Garbled(format!("the denial {other:?}"))),
        };
        let standing = Standing {
            requests: Duration::from_micros(requests),
            audio: Duration::from_micros(audio),
            in_flight,
            spent: Charge { usd: NanoUsd::new(usd), audio: AudioMs::new(spent_audio) },
        };
        Ok(Decision { at: UnixMs::new(now / 1000), denial, standing })
    }

    pub(super) fn settle_call(&self, settlement: &Settlement, keys: &Keys) -> Call {
        let (cost, estimate) = (settlement.cost, settlement.estimate);
        // When a permit was given that nobody heard of, the store alone knows; it is near to when that was noticed.
        let (earlier, later) = months_around(settlement.at);
        let mut names = vec![keys.leases(), keys.open(), keys.month(earlier), keys.month(later), keys.ledger()];
        names.extend(settlement.session.as_ref().map(|session| keys.session(&session.id)));
        let difference = |new: u64, old: u64| (i128::from(new) - i128::from(old)).to_string();
        // It may have been written before, and at any time since the permit was given: it was tried, or has waited so long
        // that it may have been given up as abandoned. Otherwise nobody but a library that tries again by itself can have
        // written it, a moment ago.
        let old = settlement.at.plus(ABANDONED / 2) < self.time(keys.part());
        let maybe_there = settlement.tried || (old && !settlement.without_store);
        let doubt = if settlement.without_store { OWN_CLOCK } else { SAME_CLOCK };
        let since = maybe_there.then(|| settlement.at.minus(doubt).get());
        let arguments = vec![
            settlement.id.to_string(),
            difference(cost.usd.get(), estimate.usd.get()),
            difference(cost.audio.get(), estimate.audio.get()),
            cost.usd.get().to_string(),
            cost.audio.get().to_string(),
            u8::from(settlement.unknown == Unknown::Charge).to_string(),
            optional(since),
            settlement.at.get().to_string(),
            later.start().get().to_string(),
            settlement.at.day(),
            settlement.counted_as.clone(),
            settlement.subject.as_str().to_owned(),
            written(&settlement.entry()),
            ms(self.keep),
            ms(KEEP_MONTH),
            optional(settlement.session.as_ref().map(|session| session.expires_at.get())),
        ];
        (names, arguments)
    }

    /// What dead gateways left of a caller's permits, each its id and its record. Their estimates stand.
    fn bury(&self, subject: &Subject, dead: &[String]) -> Result<(), StoreFailure> {
        for pair in dead.chunks_exact(2) {
            let [id, value] = pair else { continue };
            let entry = open_entry(subject, id, value)?;
            // Nobody listens any more only when the gateway ends; the next one does it then.
            let _ = self.abandoned.send(Settlement {
                id: entry.id,
                subject: entry.subject,
                // The estimate stands.
                session: None,
                at: entry.at,
                counted_as: entry.memo.model.clone(),
                memo: entry.memo,
                audio: entry.audio,
                estimate: entry.estimate,
                cost: entry.estimate,
                usage: None,
                ending: Ending::Abandoned,
                without_store: false,
                unknown: Unknown::Ignore,
                tried: false,
            });
        }
        Ok(())
    }
}

/// The month of a moment that is not known better than to some hours; twice the same but around the turn of a month.
fn months_around(time: UnixMs) -> (Month, Month) {
    (Month::of(time.minus(CLOCKS_APART)), Month::of(time.plus(CLOCKS_APART)))
}

fn optional(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn ms(span: Duration) -> String {
    span.as_millis().to_string()
}
