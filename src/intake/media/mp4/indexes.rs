//! Indexes of fragments, `sidx` and `mfra` (ISO/IEC 14496-12 §8.16.3 and §8.8.10). Players do not need them to play a file
//! from its beginning, but an index may lead a player to fragments that a walk from box to box does not reach. The gateway
//! refuses a file with such an index.

use std::io::{self, Read, Seek};

use super::super::MediaError;
use super::super::budget::Budget;
use super::boxes::{Fields, Found, head, is_entered};
use super::error::feature;
use super::read_buffer::ReadBuffer;

/// The largest number of indexes of one kind.
pub(super) const MAX_INDEXES: usize = 32 * 1024;
/// The maximum number of times that an index may point backwards.
const MAX_RETURNS: usize = 64;
/// The maximum number of boxes examined where an index points into the middle of a box.
const MAX_BOXES: usize = 16;
const AHEAD: usize = 32 * 1024;

/// Checks that the `sidx` boxes and the `mfra` of a file of `bytes` bytes point only to boxes that a walk reaches.
/// `segments` holds the start and the end of the content of each `sidx`. Returns `false` if the budget is spent.
pub(super) fn check<S: Read + Seek>(
    source: &mut S,
    bytes: u64,
    segments: &[(u64, u64)],
    budget: &mut Budget,
) -> Result<bool, MediaError> {
    let mut places = Places { source, bytes, buffer: ReadBuffer::new(AHEAD), at: 0, returns: 0 };
    let mut table = ReadBuffer::new(AHEAD);
    for &(at, end) in segments {
        if !places.check_segment_index(&mut table, at, end, budget)? {
            return Ok(false);
        }
    }
    places.check_random_access(&mut table, budget)
}

/// The top-level boxes of a file.
struct Places<'a, S> {
    source: &'a mut S,
    bytes: u64,
    buffer: ReadBuffer,
    /// The position of the walk.
    at: u64,
    returns: usize,
}

impl<S: Read + Seek> Places<'_, S> {
    fn check_segment_index(
        &mut self,
        table: &mut ReadBuffer,
        at: u64,
        end: u64,
        budget: &mut Budget,
    ) -> Result<bool, MediaError> {
        let Some(fields) = table.exactly::<_, 32>(self.source, at)? else { return Ok(true) };
        let mut fields = Fields(&fields);
        let mut read = || {
            let (version, _) = fields.version_and_flags()?;
            fields.skip(8)?;
            let first = if version == 0 {
                fields.skip(4)?;
                u64::from(fields.u32()?)
            } else {
                fields.skip(8)?;
                fields.u64()?
            };
            fields.skip(2)?;
            let count = fields.u16()?;
            Some((first, count, if version == 0 { 24 } else { 32 }))
        };
        let Some((first, count, head)) = read() else { return Ok(true) };
        let mut place = end.wrapping_add(first);
        for entry in 0..u64::from(count) {
            if !self.check(place, budget)? {
                return Ok(false);
            }
            let Some(size) = table.exactly(self.source, at.saturating_add(head + entry * 12))? else { break };
            place = place.wrapping_add(u32::from_be_bytes(size).into());
        }
        Ok(true)
    }

    fn check_random_access(&mut self, table: &mut ReadBuffer, budget: &mut Budget) -> Result<bool, MediaError> {
        let Some(size) = self.bytes.checked_sub(4).map(|at| table.exactly(self.source, at)).transpose()?.flatten()
        else {
            return Ok(true);
        };
        let Some(mut at) = self.bytes.checked_sub(u32::from_be_bytes(size).into()) else { return Ok(true) };
        match table.exactly::<_, 8>(self.source, at)? {
            Some([a, b, c, d, b'm', b'f', b'r', b'a']) if [a, b, c, d] == size => at = at.saturating_add(8),
            _ => return Ok(true),
        }
        for _ in 0..MAX_RETURNS {
            let Some(fields) = table.exactly::<_, 24>(self.source, at)? else { return Ok(true) };
            let mut fields = Fields(&fields);
            let (Some(size), Some([b't', b'f', b'r', b'a'])) = (fields.u32(), fields.take()) else { return Ok(true) };
            let Some((version, _)) = fields.version_and_flags() else { return Ok(true) };
            let _track = fields.u32();
            let Some((lengths, count)) = fields.u32().zip(fields.u32()) else { return Ok(true) };
            let numbers = [4, 2, 0].map(|place| u64::from(lengths >> place & 3) + 1).iter().sum::<u64>();
            let time = if version == 1 { 8 } else { 4 };
            for entry in 0..u64::from(count) {
                let entry = at.saturating_add(24 + entry * (2 * time + numbers) + time);
                let place = if version == 1 {
                    table.exactly(self.source, entry)?.map(u64::from_be_bytes)
                } else {
                    table.exactly(self.source, entry)?.map(|place| u32::from_be_bytes(place).into())
                };
                let Some(place) = place else { return Ok(true) };
                if !self.check(place, budget)? {
                    return Ok(false);
                }
            }
            at = at.saturating_add(size.into());
        }
        Err(feature("has more indexes of its fragments than tracks"))
    }

    /// Checks that a walk reaches `place`, or that `place` is beyond the end of the file.
    fn check(&mut self, place: u64, budget: &mut Budget) -> Result<bool, MediaError> {
        if place >= self.bytes {
            return Ok(budget.spend(0));
        }
        if place < self.at {
            self.at = 0;
            self.returns += 1;
            if self.returns > MAX_RETURNS {
                return Err(feature("has an index of its fragments that is in no order"));
            }
        }
        while self.at < place {
            if !budget.spend(0) {
                return Ok(false);
            }
            match self.next(self.at)? {
                Some((_, next)) if next <= place => self.at = next,
                _ => {
                    self.check_hidden(place)?;
                    break;
                }
            }
        }
        Ok(budget.spend(0))
    }

    /// Checks that a player cannot find fragments at `place`, in the middle of a box. An index is off, and points to
    /// arbitrary bytes, if a program inserted bytes before the fragments.
    fn check_hidden(&mut self, mut place: u64) -> Result<(), MediaError> {
        for _ in 0..MAX_BOXES {
            match self.next(place)? {
                None => return Ok(()),
                Some((kind, _)) if is_entered(kind) => break,
                Some((_, next)) => place = next,
            }
        }
        Err(feature("has an index that points to fragments within other boxes"))
    }

    /// Returns the kind of the box at `at` and the offset of the next, or `None` if there is no box.
    fn next(&mut self, at: u64) -> io::Result<Option<([u8; 4], u64)>> {
        let room = self.bytes.saturating_sub(at);
        let mut begins = [0; 16];
        let shown = match self.buffer.exactly(self.source, at)? {
            Some(all) => {
                begins = all;
                begins.as_slice()
            }
            None => match self.buffer.exactly::<_, 8>(self.source, at)? {
                Some(eight) => {
                    begins.iter_mut().zip(eight).for_each(|(to, from)| *to = from);
                    begins.get(..8).unwrap_or_default()
                }
                None => return Ok(None),
            },
        };
        let Found::Head(found) = head(shown, room) else { return Ok(None) };
        let end = found.content.map_or(u64::MAX, |content| at.saturating_add(found.bytes).saturating_add(content));
        Ok(Some((found.kind, end)))
    }
}
