//! Rows of the file as types, and numbers as SQLite counts them.

use rusqlite::Row;
use rusqlite::types::Type;

use crate::domain::{AudioMs, NanoUsd, UnixMs};
use crate::ledger::{Charge, Entry, RequestInfo, Tally, Usage};

/// The result of a call of SQLite.
pub(super) type Result<T> = rusqlite::Result<T>;

/// Converts a number for SQLite, which counts to 2⁶³; no number here comes near it.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn counted(row: &Row<'_>, index: usize) -> Result<u64> {
    // A correction after the loss of part of the file could make a sum negative.
    row.get::<_, i64>(index).map(|value| u64::try_from(value).unwrap_or_default())
}

pub(super) fn tally(row: &Row<'_>, first: usize) -> Result<Tally> {
    Ok(Tally {
        requests: counted(row, first)?,
        spent_usd: NanoUsd::new(counted(row, first + 1)?),
        audio_ms: AudioMs::new(counted(row, first + 2)?),
    })
}

pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, index: usize) -> Result<T> {
    let text: String = row.get(index)?;
    text.parse().map_err(|_| unreadable(format!("{text:?} is in column {index}")))
}

pub(super) fn unreadable(what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, what.into())
}

pub(super) fn entry(row: &Row<'_>) -> Result<Entry> {
    let optional = |index| row.get::<_, Option<i64>>(index).map(|value| value.and_then(|n| u64::try_from(n).ok()));
    let usage = match (optional(12)?, optional(13)?, optional(14)?) {
        (Some(input), Some(output), _) => Some(Usage::Tokens { input, output }),
        (_, _, Some(length)) => Some(Usage::Length(AudioMs::new(length))),
        _ => None,
    };
    let charge = |usd, audio| -> Result<Charge> {
        Ok(Charge { usd: NanoUsd::new(counted(row, usd)?), audio: AudioMs::new(counted(row, audio)?) })
    };
    Ok(Entry {
        id: parsed(row, 0)?,
        at: UnixMs::new(counted(row, 1)?),
        subject: parsed(row, 2)?,
        info: RequestInfo {
            request_id: row.get(3)?,
            plan: row.get(4)?,
            model: row.get(5)?,
            provider: row.get(6)?,
            pieces: row.get(16)?,
            attempts: row.get(17)?,
        },
        audio: AudioMs::new(counted(row, 7)?),
        estimate: charge(8, 9)?,
        cost: charge(10, 11)?,
        usage,
        ending: parsed(row, 15)?,
    })
}
