//! The calls of `settle.lua` and `void.lua`.

use std::time::Duration;

use serde::Serialize;

use super::keys::Keys;
use super::months::{KEEP_MONTH, MonthsAround, ms};
use super::records::written;
use super::scripts::{Call, Operand};
use super::shared::Shared;
use crate::domain::UnixMs;
use crate::limits::{IfUnknown, Settlement};

/// The maximum time by which a permit from Redis may be ahead of Redis's clock.
const MAX_AHEAD_OF_STORE: Duration = Duration::from_mins(1);
/// The maximum time by which a permit from the gateway alone, perhaps before its first answer from Redis, may be ahead.
const MAX_AHEAD_LOCALLY: Duration = Duration::from_hours(1);
/// The time for which a mark shows that a permit was settled or taken back, apart from its record. Within it, a
/// repeated settlement is recognized at once; later, the script searches for the record.
const KEEP_SETTLED_MARK: Duration = Duration::from_hours(24);

/// The time for which the record of a request is found by its id, if the record is kept that long.
const KEEP_REQUEST: Duration = Duration::from_hours(24);

/// The arguments of `settle.lua`. Times are in ms.
#[derive(Serialize)]
struct SettleArguments<'a> {
    id: String,
    /// The estimate, as far as the gateway knows; what the store has charged counts.
    estimate_usd: u64,
    estimate_audio: u64,
    /// The cost.
    usd: Operand,
    audio: Operand,
    charge_unknown: bool,
    /// The time since which an earlier settlement without a mark may have been written, as a position in the ledger;
    /// `None` if each has left a mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    written_since: Option<Operand>,
    given_at: UnixMs,
    later_month_from: UnixMs,
    day: String,
    model: &'a str,
    subject: &'a str,
    record: String,
    keep: u64,
    keep_month: Operand,
    /// The end of the session; `None`: no session with caps.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_until: Option<u64>,
    keep_mark: u64,
    keep_request: Operand,
}

/// The arguments of `void.lua`: what is added, so each is zero or negative.
#[derive(Serialize)]
struct VoidArguments {
    id: String,
    usd: Operand,
    audio: Operand,
    /// In µs.
    requests_weight: Operand,
    audio_weight: Operand,
    later_month_from: UnixMs,
    keep_mark: u64,
}

impl Shared {
    pub(super) fn settle_call(&self, settlement: &Settlement, keys: &Keys) -> Call {
        let (cost, estimate) = (settlement.cost, settlement.estimate);
        // If the gateway missed the answer, only the store knows the time of the permit; it is close to the time at
        // which the gateway gave up.
        let months = MonthsAround::new(settlement.at);
        let session = settlement.session.as_ref();
        let arguments = SettleArguments {
            id: settlement.id.to_string(),
            estimate_usd: estimate.usd.get(),
            estimate_audio: estimate.audio.get(),
            usd: Operand::new(cost.usd.get()),
            audio: Operand::new(cost.audio.get()),
            charge_unknown: settlement.unknown == IfUnknown::Charge,
            written_since: self.written_since(settlement, keys).map(|time| Operand::new(time.get())),
            given_at: settlement.at,
            later_month_from: months.later.start(),
            day: settlement.at.day(),
            model: &settlement.counted_as,
            subject: settlement.subject.as_str(),
            record: written(&settlement.entry()),
            keep: ms(self.keep),
            keep_month: Operand::new(ms(KEEP_MONTH)),
            session_until: session.map(|session| session.expires_at.get()),
            keep_mark: ms(KEEP_SETTLED_MARK),
            keep_request: Operand::new(ms(self.keep.min(KEEP_REQUEST)).max(1)),
        };
        let tag = keys.tag();
        let mut names = vec![
            keys.leases(),
            keys.open(),
            keys.month(months.earlier),
            keys.month(months.later),
            tag.totals(months.earlier),
            tag.totals(months.later),
            tag.callers(months.earlier),
            tag.callers(months.later),
            keys.ledger(),
            tag.closed(),
            keys.request(&settlement.info.request_id),
        ];
        names.extend(session.map(|session| keys.session(&session.id)));
        Call::new(names, &arguments)
    }

    /// Returns the time since which this settlement may have been written without a mark.
    ///
    /// A settlement leaves a mark, by which its repetition is recognized. The mark is missing if an earlier gateway,
    /// without marks, wrote the settlement or gave the permit up as abandoned, or if the settlement is so old that the
    /// mark may have expired. Then the script searches for the record, which is there in every case.
    fn written_since(&self, settlement: &Settlement, keys: &Keys) -> Option<UnixMs> {
        let is_old = settlement.at.plus(KEEP_SETTLED_MARK / 2) < self.time(keys.shard());
        let may_be_unmarked = settlement.tried && !settlement.marked;
        let may_be_there = may_be_unmarked || is_old && (settlement.tried || !settlement.without_store);
        let ahead = if settlement.without_store { MAX_AHEAD_LOCALLY } else { MAX_AHEAD_OF_STORE };
        may_be_there.then(|| settlement.at.minus(ahead))
    }

    pub(super) fn void_call(settlement: &Settlement, keys: &Keys) -> Call {
        let (estimate, rates) = (settlement.estimate, settlement.rates);
        // Only the store knows the time of the permit, if there is one; it is close to the time at which the gateway
        // gave up.
        let months = MonthsAround::new(settlement.at);
        let arguments = VoidArguments {
            id: settlement.id.to_string(),
            usd: Operand::negative(estimate.usd.get()),
            audio: Operand::negative(estimate.audio.get()),
            requests_weight: Operand::negative(rates.requests_us),
            audio_weight: Operand::negative(rates.audio_us),
            later_month_from: months.later.start(),
            keep_mark: ms(KEEP_SETTLED_MARK),
        };
        let mut names = vec![
            keys.leases(),
            keys.open(),
            keys.month(months.earlier),
            keys.month(months.later),
            keys.tag().closed(),
            keys.rates(),
        ];
        names.extend(settlement.session.as_ref().map(|session| keys.session(&session.id)));
        Call::new(names, &arguments)
    }
}
