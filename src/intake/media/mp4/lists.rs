//! The sizes and the durations of samples, as their tables list them.

use std::io::{self, Read, Seek};

use super::boxes::Fields;
use super::cursor::Cursor;
use super::track_tables::Table;

/// The longest step between samples. ffmpeg treats larger numbers as corrections.
pub(super) const MAX_STEP: u32 = u32::MAX - 480_000;

/// A reader of the sizes of samples.
#[derive(Debug)]
pub(super) enum SizeList {
    Bytes4(Cursor<4>),
    Bytes2(Cursor<2>),
    Byte(Cursor<1>),
    /// Two sizes in each byte; `second` is the second size of the last byte read.
    Halves {
        table: Cursor<1>,
        left: u64,
        second: Option<u8>,
    },
}

impl SizeList {
    pub(super) fn new(table: Table, bits: u8) -> Self {
        match bits {
            4 => {
                let bytes = Table { count: table.count.div_ceil(2), ..table };
                Self::Halves { table: Cursor::new(bytes), left: table.count, second: None }
            }
            8 => Self::Byte(Cursor::new(table)),
            16 => Self::Bytes2(Cursor::new(table)),
            _ => Self::Bytes4(Cursor::new(table)),
        }
    }

    pub(super) fn next<S: Read + Seek>(&mut self, source: &mut S) -> io::Result<Option<u64>> {
        Ok(match self {
            Self::Bytes4(table) => table.next(source)?.map(|size| u32::from_be_bytes(size).into()),
            Self::Bytes2(table) => table.next(source)?.map(|size| u16::from_be_bytes(size).into()),
            Self::Byte(table) => table.next(source)?.map(|[size]| size.into()),
            Self::Halves { left: 0, .. } => None,
            Self::Halves { table, left, second } => {
                *left -= 1;
                match second.take() {
                    Some(size) => Some(size.into()),
                    None => table.next(source)?.map(|[both]| {
                        *second = Some(both & 0x0f);
                        u64::from(both >> 4)
                    }),
                }
            }
        })
    }
}

/// A reader of the durations of samples.
#[derive(Debug, Default)]
pub(super) struct Times {
    table: Option<Cursor<8>>,
    step: u64,
    left: u64,
}

impl Times {
    /// Creates a reader of `table`. Without a table, every sample has a duration of zero.
    pub(super) fn new(table: Option<Cursor<8>>) -> Self {
        Self { table, ..Self::default() }
    }

    /// Returns the duration of the next sample, and the number of samples, at most `count`, with this duration. The last
    /// duration in the table holds for all further samples.
    pub(super) fn take<S: Read + Seek>(&mut self, source: &mut S, count: u64) -> io::Result<(u64, u64)> {
        while self.left == 0 {
            let Some(entry) = self.table.as_mut().map(|table| table.next(source)).transpose()?.flatten() else {
                self.left = u64::MAX;
                break;
            };
            let mut fields = Fields(&entry);
            let (samples, step) = fields.u32().zip(fields.u32()).unwrap_or_default();
            self.left = samples.into();
            self.step = if step > MAX_STEP { 1 } else { step.into() };
        }
        let count = count.min(self.left);
        self.left -= count;
        Ok((self.step, count))
    }
}
