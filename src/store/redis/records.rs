//! The format of records in Redis, and the parsing of query results.

use std::collections::BTreeMap;
use std::str::FromStr;

use redis::{FromRedisValue, Value};
use serde::{Deserialize, Serialize};

use crate::domain::{AudioMs, Month, NanoUsd, Subject, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo, Statement, Tally, Usage};
use crate::limits::Revision;
use crate::store::StoreError;

/// An [`Entry`] with short field names, to save memory: its subject and its id stand beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The time of admission, in ms since 1970; absent from an open record, where it precedes the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<u64>,
    /// Request id, plan, model and provider.
    w: (String, String, String, String),
    /// Audio in ms.
    a: u64,
    /// Estimate: billionths of a dollar, ms of audio.
    e: (u64, u64),
    /// Cost, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<(u64, u64)>,
    /// Usage in tokens: input, output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<(u64, u64)>,
    /// Usage in ms of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<u64>,
    /// The number of pieces in which the recording went to providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    /// The number of attempts at providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<u32>,
    /// The revision by which an open permit is charged; absent from the charge of its admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<u32>,
    /// The outcome.
    x: Ending,
}

const fn pair(charge: Charge) -> (u64, u64) {
    (charge.usd.get(), charge.audio.get())
}

const fn charge((usd, audio): (u64, u64)) -> Charge {
    Charge { usd: NanoUsd::new(usd), audio: AudioMs::new(audio) }
}

/// Returns the stored form of a record. An open record has no time of admission: Redis adds that.
pub(super) fn written(entry: &Entry) -> String {
    to_text(entry, None)
}

/// Returns the stored form of the record of an open permit whose charge was changed.
pub(super) fn revised(entry: &Entry, revision: Revision) -> String {
    to_text(entry, Some(revision.get()))
}

fn to_text(entry: &Entry, revision: Option<u32>) -> String {
    let settled = entry.ending != Ending::Open;
    let (tokens, length) = match entry.usage {
        Some(Usage::Tokens { input, output }) => (Some((input, output)), None),
        Some(Usage::Length(length)) => (None, Some(length.get())),
        None => (None, None),
    };
    let info = entry.info.clone();
    let record = Record {
        t: settled.then_some(entry.at.get()),
        w: (info.request_id, info.plan, info.model, info.provider),
        a: entry.audio.get(),
        e: pair(entry.estimate),
        c: settled.then_some(pair(entry.cost)),
        k: tokens,
        l: length,
        n: info.pieces,
        m: info.attempts,
        r: revision,
        x: entry.ending,
    };
    // Strings and numbers always convert to JSON.
    serde_json::to_string(&record).unwrap_or_default()
}

fn read(subject: &Subject, id: &str, text: &str, at: Option<u64>) -> Result<Entry, StoreError> {
    let record: Record = serde_json::from_str(text).map_err(StoreError::corrupt)?;
    let (request_id, plan, model, provider) = record.w;
    let estimate = charge(record.e);
    let tokens = record.k.map(|(input, output)| Usage::Tokens { input, output });
    Ok(Entry {
        id: PermitId::from_str(id).map_err(StoreError::corrupt)?,
        at: UnixMs::new(at.or(record.t).unwrap_or_default()),
        subject: subject.clone(),
        info: RequestInfo { request_id, plan, model, provider, pieces: record.n, attempts: record.m },
        audio: AudioMs::new(record.a),
        estimate,
        cost: record.c.map_or(estimate, charge),
        usage: tokens.or(record.l.map(|length| Usage::Length(AudioMs::new(length)))),
        ending: record.x,
    })
}

/// Parses an entry of the hash of open permits: `<admitted at> <record>`.
pub(super) fn open_entry(subject: &Subject, id: &str, value: &str) -> Result<Entry, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("the permit {id} does not say when it was given"));
    let (at, record) = value.split_once(' ').ok_or_else(corrupt)?;
    read(subject, id, record, Some(at.parse().map_err(|_| corrupt())?))
}

/// Parses the answer of `XRANGE` on a ledger: each item is an id and its fields.
pub(super) fn ledger_entries(items: &[(String, Vec<String>)]) -> Result<Vec<Entry>, StoreError> {
    let entries = items.iter().map(|(item, fields)| match fields.as_slice() {
        [_, id, _, subject, _, record] => read(&subject.parse().map_err(StoreError::corrupt)?, id, record, None),
        _ => Err(StoreError::Corrupt(format!("the record {item} has {} fields", fields.len()))),
    });
    entries.collect()
}

/// The sums in the hash of a month: one caller's, or those of the callers of one tag.
#[derive(Debug, Default)]
pub(super) struct MonthSums {
    pub(super) total: Tally,
    pub(super) by_day: BTreeMap<String, Tally>,
    pub(super) by_model: BTreeMap<String, Tally>,
}

impl MonthSums {
    pub(super) fn parse(value: Value) -> Result<Self, StoreError> {
        let mut sums = Self::default();
        sums.add(value)?;
        Ok(sums)
    }

    /// Adds the sums in another hash.
    pub(super) fn add(&mut self, value: Value) -> Result<(), StoreError> {
        let fields: Vec<(String, i64)> = parsed(value)?;
        for (field, number) in fields {
            // A correction after Redis lost part of its data could make a sum negative.
            let number = u64::try_from(number).unwrap_or_default();
            let (group, what) = field.rsplit_once(':').unwrap_or(("", &field));
            let tally = match group.split_once(':') {
                None => &mut self.total,
                Some(("day", day)) => self.by_day.entry(day.to_owned()).or_default(),
                Some((_, model)) => self.by_model.entry(model.to_owned()).or_default(),
            };
            *tally = tally.plus(part(what, number));
        }
        Ok(())
    }
}

/// Returns the tally that has this one part.
fn part(what: &str, number: u64) -> Tally {
    match what {
        "requests" => Tally { requests: number, ..Tally::default() },
        "usd" => Tally { spent_usd: NanoUsd::new(number), ..Tally::default() },
        "audio" => Tally { audio_ms: AudioMs::new(number), ..Tally::default() },
        // A field of a later version.
        _ => Tally::default(),
    }
}

/// Parses the statement in the hash of a month.
pub(super) fn statement(subject: &Subject, month: Month, value: Value) -> Result<Statement, StoreError> {
    let MonthSums { total, by_day, by_model } = MonthSums::parse(value)?;
    Ok(Statement { subject: subject.clone(), month, total, by_day, by_model })
}

/// Converts an answer of Redis to the expected type.
pub(super) fn parsed<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    redis::from_redis_value(value).map_err(StoreError::corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::bench::{ask, charge, settlement, subject};

    #[test]
    fn a_record_of_an_earlier_gateway_is_read_and_one_without_pieces_is_as_before() {
        let asked = ask(&subject("alice"), crate::limits::Limits::default(), charge(5, 7));
        let id = asked.id.to_string();
        let before = r#"{"w":["a-request","a plan","a:model","openai"],"a":7,"e":[5,7],"x":"open"}"#;
        assert_eq!(written(&asked.entry(UnixMs::new(3))), before);
        assert_eq!(open_entry(&asked.subject, &id, &format!("3 {before}")).unwrap(), asked.entry(UnixMs::new(3)));
        let entry = settlement(&asked, UnixMs::new(3), charge(4, 6)).entry();
        let in_pieces =
            Entry { info: RequestInfo { pieces: Some(2), attempts: Some(3), ..entry.info.clone() }, ..entry };
        let item =
            |record| ("3-0".to_owned(), ["id", &id, "subject", "alice", "record", record].map(str::to_owned).to_vec());
        assert_eq!(ledger_entries(&[item(&written(&in_pieces))]).unwrap(), [in_pieces]);
    }

    #[test]
    fn a_changed_charge_is_where_an_earlier_gateway_finds_the_estimate() {
        let asked = ask(&subject("alice"), crate::limits::Limits::default(), charge(8, 9));
        let record = revised(&asked.entry(UnixMs::new(3)), Revision::new(2));
        assert_eq!(record, r#"{"w":["a-request","a plan","a:model","openai"],"a":9,"e":[8,9],"r":2,"x":"open"}"#);
    }
}
