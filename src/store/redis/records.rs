//! The format of records in Redis, and the parsing of query results.

use std::str::FromStr;

use redis::{FromRedisValue, Value};
use serde::{Deserialize, Serialize};

use crate::domain::{AudioMs, Month, NanoUsd, Subject, UnixMs};
use crate::ledger::{Charge, Ending, Entry, PermitId, RequestInfo, Statement, Tally, Usage};
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
        info: RequestInfo { request_id, plan, model, provider, pieces: record.n },
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

/// Parses the statement in the hash of a month.
pub(super) fn statement(subject: &Subject, month: Month, value: Value) -> Result<Statement, StoreError> {
    let fields: Vec<(String, i64)> = parsed(value)?;
    let mut statement = Statement::empty(subject.clone(), month);
    for (field, number) in fields {
        // A correction after Redis lost part of its data could make a sum negative.
        let number = u64::try_from(number).unwrap_or_default();
        let (group, what) = field.rsplit_once(':').unwrap_or(("", &field));
        let tally = match group.split_once(':') {
            None => &mut statement.total,
            Some(("day", day)) => statement.by_day.entry(day.to_owned()).or_default(),
            Some((_, model)) => statement.by_model.entry(model.to_owned()).or_default(),
        };
        count(tally, what, number);
    }
    Ok(statement)
}

fn count(tally: &mut Tally, what: &str, number: u64) {
    match what {
        "requests" => tally.requests = number,
        "usd" => tally.spent_usd = NanoUsd::new(number),
        "audio" => tally.audio_ms = AudioMs::new(number),
        // A field of a later version.
        _ => {}
    }
}

/// Converts an answer of Redis to the expected type.
pub(super) fn parsed<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    redis::from_redis_value(value).map_err(StoreError::corrupt)
}
