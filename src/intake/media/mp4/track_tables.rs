//! The positions of a track's tables in the file.

use std::io::{self, Read, Seek};

use super::super::MediaError;
use super::boxes::{Fields, Kind};
use super::error::{feature, too_short};
use super::read_buffer::ReadBuffer;

/// The position of a table: `count` entries from `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Table {
    pub(super) at: u64,
    pub(super) count: u64,
}

/// The sizes of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    /// A single size for all samples.
    Constant { size: u32, count: u32 },
    /// A size of `bits` bits for each sample.
    Listed { table: Table, bits: u8 },
}

/// A track's tables (ISO/IEC 14496-12 §8.6 and §8.7).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tables {
    /// The durations of samples: `stts`.
    pub(super) times: Option<Table>,
    /// The first entry of `times`, if it is the only one.
    pub(super) only_step: Option<u32>,
    /// The number of samples per chunk: `stsc`.
    pub(super) chunks: Option<Table>,
    /// The sizes of samples: `stsz` or `stz2`.
    pub(super) sizes: Option<Sizes>,
    /// The offsets of chunks: `stco` or `co64`.
    pub(super) offsets: Option<Table>,
    pub(super) wide_offsets: bool,
    /// The parts to play, in order: `elst`.
    pub(super) edits: Option<Table>,
    pub(super) wide_edits: bool,
    /// True if samples are presented in another order than they are decoded: `ctts`.
    pub(super) reordered: bool,
}

impl Tables {
    /// Reads the position of a table from a box whose content is `size` bytes from `at`.
    pub(super) fn read(
        &mut self,
        kind: Kind,
        (at, size): (u64, u64),
        mut fields: Fields<'_>,
    ) -> Result<(), MediaError> {
        let Some((version, _)) = fields.version_and_flags() else { return Ok(()) };
        let clipped = |head: u64, bits: u64, count: u32| Table {
            at: at.saturating_add(head),
            count: u64::from(count).min(size.saturating_sub(head).saturating_mul(8) / bits),
        };
        let table = |head, bits, count| {
            let table = clipped(head, bits, count);
            if table.count == u64::from(count) { Ok(table) } else { Err(too_short()) }
        };
        match &kind {
            b"stts" => {
                let Some(count) = fields.u32() else { return Ok(()) };
                self.only_step = if count == 1 { fields.skip(4).and_then(|()| fields.u32()) } else { None };
                once(&mut self.times, Some(table(8, 64, count)?))
            }
            b"stsc" => {
                let Some(count) = fields.u32() else { return Ok(()) };
                once(&mut self.chunks, Some(table(8, 96, count)?).filter(|table| table.count > 0))
            }
            b"stco" | b"co64" => {
                self.wide_offsets = &kind == b"co64";
                let bits = if self.wide_offsets { 64 } else { 32 };
                once(
                    &mut self.offsets,
                    fields.u32().map(|count| clipped(8, bits, count)).filter(|table| table.count > 0),
                )
            }
            b"stsz" => {
                let Some((size, count)) = fields.u32().zip(fields.u32()) else { return Ok(()) };
                let sizes = match size {
                    0 => Sizes::Listed { table: table(12, 32, count)?, bits: 32 },
                    size => Sizes::Constant { size, count },
                };
                once(&mut self.sizes, Some(sizes))
            }
            b"stz2" => {
                let Some(([.., bits], count)) = fields.take::<4>().zip(fields.u32()) else { return Ok(()) };
                if !matches!(bits, 4 | 8 | 16 | 32) {
                    return Ok(());
                }
                once(&mut self.sizes, Some(Sizes::Listed { table: table(12, bits.into(), count)?, bits }))
            }
            b"elst" => {
                self.wide_edits = version == 1;
                let bits = if self.wide_edits { 160 } else { 96 };
                // The size of the box gives the number of entries; the stated count is not used.
                once(&mut self.edits, Some(clipped(8, bits, u32::MAX)).filter(|table| table.count > 0))
            }
            b"ctts" => {
                self.reordered = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Tables {
    /// Reads the last byte of each table, so that an error says if one has not arrived. A table that the file cuts off is
    /// as long as the file.
    pub(super) fn arrived<S: Read + Seek>(&self, source: &mut S) -> io::Result<()> {
        let sizes = match self.sizes {
            Some(Sizes::Listed { table, bits }) => Some((table, u64::from(bits))),
            _ => None,
        };
        let of = |table: Option<Table>, bits| table.map(|table| (table, bits));
        let offset = if self.wide_offsets { 64 } else { 32 };
        let edit = if self.wide_edits { 160 } else { 96 };
        let tables = [of(self.times, 64), of(self.chunks, 96), of(self.offsets, offset), of(self.edits, edit), sizes];
        for (table, bits) in tables.into_iter().flatten() {
            let end = table.at.saturating_add(table.count.saturating_mul(bits).div_ceil(8));
            ReadBuffer::new(1).exactly::<_, 1>(source, end.saturating_sub(1))?;
        }
        Ok(())
    }
}

/// Stores `value`, or returns an error if there is a value already: players differ about which of two tables they use.
pub(super) fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), MediaError> {
    match (slot.is_some(), value) {
        (true, Some(_)) => Err(repeated()),
        (false, value) => {
            *slot = value;
            Ok(())
        }
        (true, None) => Ok(()),
    }
}

pub(super) fn repeated() -> MediaError {
    feature("has two of a track's tables")
}
