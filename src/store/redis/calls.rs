//! The arguments and answers of the scripts, in the gateway's own types.

use std::time::Duration;

use redis::Value;

use super::keys::Keys;
use super::records::{open_entry, parsed, written};
use super::{Call, Shared};
use crate::domain::{AudioMs, Month, NanoUsd, Subject, UnixMs};
use crate::ledger::{Charge, Ending};
use crate::limits::{AccountUsage, AdmitRequest, Bucket, Decision, Denial, IfUnknown, RateRefund, Settlement};
use crate::store::StoreError;

/// The maximum difference between the clocks of the gateway and of Redis.
pub(super) const CLOCKS_APART: Duration = Duration::from_hours(12);
/// The maximum time by which a permit may be ahead of Redis's clock, for a permit from Redis and for one from the
/// gateway alone, perhaps before its first answer from Redis.
const SAME_CLOCK: Duration = Duration::from_mins(1);
const OWN_CLOCK: Duration = Duration::from_hours(1);
/// The time after the end of its lease at which an unsettled permit counts as a dead gateway's: longer than a
/// settlement waits.
const ABANDONED: Duration = Duration::from_hours(24);
/// The time for which a mark shows that a permit was settled or taken back, apart from its record. Within it, a
/// repeated settlement is recognized at once; later, the script searches for the record.
const KEEP_MARK: Duration = Duration::from_hours(24);
/// The time for which the sums of a month are kept.
const KEEP_MONTH: Duration = Duration::from_hours(24 * 400);

impl Shared {
    pub(super) fn admit_call(&self, ask: &AdmitRequest, keys: &Keys) -> Call {
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
            keys.closed(),
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
        ask: &AdmitRequest,
        keys: &Keys,
        value: Value,
        took: Duration,
    ) -> Result<Decision, StoreError> {
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
            other => return Err(StoreError::Garbled(format!("the denial {other:?}"))),
        };
        let standing = AccountUsage {
            requests: Duration::from_micros(requests),
            audio: Duration::from_micros(audio),
            in_flight,
            spent: Charge { usd: NanoUsd::new(usd), audio: AudioMs::new(spent_audio) },
        };
        Ok(Decision { at: UnixMs::new(now / 1000), denial, standing })
    }

    pub(super) fn settle_call(&self, settlement: &Settlement, keys: &Keys) -> Call {
        let (cost, estimate) = (settlement.cost, settlement.estimate);
        // If the gateway missed the answer, only the store knows the time of the permit; it is close to the time at
        // which the gateway gave up.
        let (earlier, later) = months_around(settlement.at);
        let mut names =
            vec![keys.leases(), keys.open(), keys.month(earlier), keys.month(later), keys.ledger(), keys.closed()];
        names.extend(settlement.session.as_ref().map(|session| keys.session(&session.id)));
        let difference = |new: u64, old: u64| (i128::from(new) - i128::from(old)).to_string();
        // A settlement leaves a mark, by which its repetition is recognized. The mark is missing if an earlier gateway,
        // without marks, wrote the settlement or gave the permit up as abandoned, or if the settlement is so old that
        // the mark may have expired. Then search for the record, which is there in every case.
        let is_old = settlement.at.plus(KEEP_MARK / 2) < self.time(keys.part());
        let may_be_unmarked = settlement.tried && !settlement.marked;
        let maybe_there = may_be_unmarked || is_old && (settlement.tried || !settlement.without_store);
        let doubt = if settlement.without_store { OWN_CLOCK } else { SAME_CLOCK };
        let since = maybe_there.then(|| settlement.at.minus(doubt).get());
        let arguments = vec![
            settlement.id.to_string(),
            difference(cost.usd.get(), estimate.usd.get()),
            difference(cost.audio.get(), estimate.audio.get()),
            cost.usd.get().to_string(),
            cost.audio.get().to_string(),
            u8::from(settlement.unknown == IfUnknown::Charge).to_string(),
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
            ms(KEEP_MARK),
        ];
        (names, arguments)
    }

    pub(super) fn void_call(settlement: &Settlement, keys: &Keys) -> Call {
        let (estimate, rates) = (settlement.estimate, settlement.rates);
        // Only the store knows the time of the permit, if there is one; it is close to the time at which the gateway
        // gave up.
        let (earlier, later) = months_around(settlement.at);
        let mut names =
            vec![keys.leases(), keys.open(), keys.month(earlier), keys.month(later), keys.closed(), keys.rates()];
        names.extend(settlement.session.as_ref().map(|session| keys.session(&session.id)));
        let less = |number: u64| (-i128::from(number)).to_string();
        let arguments = vec![
            settlement.id.to_string(),
            less(estimate.usd.get()),
            less(estimate.audio.get()),
            less(rates.requests_us),
            less(rates.audio_us),
            later.start().get().to_string(),
            ms(KEEP_MARK),
        ];
        (names, arguments)
    }

    /// Settles the permits that dead gateways left behind, given as pairs of id and record. Their estimates stand.
    fn bury(&self, subject: &Subject, dead: &[String]) -> Result<(), StoreError> {
        for pair in dead.chunks_exact(2) {
            let [id, value] = pair else { continue };
            let entry = open_entry(subject, id, value)?;
            // Sending fails only when the gateway ends; the next gateway settles the permit then.
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
                unknown: IfUnknown::Ignore,
                tried: false,
                marked: true,
                rates: RateRefund::default(),
            });
        }
        Ok(())
    }
}

/// Returns the month of a time that is known only to some hours; both are the same except around the turn of a month.
fn months_around(time: UnixMs) -> (Month, Month) {
    (Month::of(time.minus(CLOCKS_APART)), Month::of(time.plus(CLOCKS_APART)))
}

fn optional(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn ms(span: Duration) -> String {
    span.as_millis().to_string()
}
