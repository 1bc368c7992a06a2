//! Playback of a track: hands its packets to the sink in the order of its tables.

use std::io::{Read, Seek};

use super::super::budget::Budget;
use super::super::codec::Wants;
use super::super::demux::{MAX_TRACKS, PacketSink, TrackId};
use super::super::{Container, MediaError};
use super::edits::Repeats;
use super::error::cut_off;
use super::movie::Track;
use super::pending::Queue;
use super::read_buffer::ReadBuffer;
use super::tables::{Run, Samples};
use super::track_tables::{Sizes, Table};

/// The number of bytes read at once where samples are consecutive.
const AHEAD: usize = 32 * 1024;

/// A player of one track of a file of `bytes` bytes.
pub(super) struct Player<'a, S> {
    source: &'a mut S,
    bytes: u64,
    track: &'a Track,
    buffer: ReadBuffer,
}

impl<'a, S: Read + Seek> Player<'a, S> {
    pub(super) fn new(source: &'a mut S, bytes: u64, track: &'a Track) -> Result<Self, MediaError> {
        let tables = &track.tables;
        let sizes = match tables.sizes {
            Some(Sizes::Listed { table, bits }) => Some((table, u64::from(bits))),
            _ => None,
        };
        let bits = |table: Option<Table>, bits| table.map(|table| (table, bits));
        let offset = if tables.wide_offsets { 64 } else { 32 };
        let all = [bits(tables.times, 64), bits(tables.chunks, 96), bits(tables.offsets, offset), sizes];
        let whole =
            |(table, bits): (Table, u64)| table.at.saturating_add(table.count.saturating_mul(bits) / 8) <= bytes;
        if !all.into_iter().flatten().all(whole) {
            return Err(cut_off());
        }
        Ok(Self { source, bytes, track, buffer: ReadBuffer::new(AHEAD) })
    }

    /// Plays the samples in `behind` and in the track's tables, and counts the repeats of an edit list as a separate track:
    /// the longer of the two counts. Returns the number of unexamined bytes if the budget is spent.
    pub(super) fn play(
        mut self,
        behind: Option<Queue>,
        sink: &mut dyn PacketSink,
        budget: &mut Budget,
    ) -> Result<Option<u64>, MediaError> {
        let mut behind = behind.unwrap_or_default();
        let mut next = || behind.next(false).map(|(at, end)| Run { at, size: end - at, count: 1, time: 0, step: 0 });
        if let Some(left) = self.play_once(|_| Ok(next()), sink, budget)? {
            return Ok(Some(left));
        }
        let Some(mut samples) = Samples::new(self.source, self.track, false)? else { return Ok(None) };
        if let Some(left) = self.play_once(|source| samples.next(source), sink, budget)? {
            return Ok(Some(left));
        }
        self.play_again(sink, budget)
    }

    /// Plays the runs that `next` returns. More bytes than the file has are an error: an index could play the same bytes
    /// without end.
    fn play_once(
        &mut self,
        mut next: impl FnMut(&mut S) -> Result<Option<Run>, MediaError>,
        sink: &mut dyn PacketSink,
        budget: &mut Budget,
    ) -> Result<Option<u64>, MediaError> {
        let mut played = 0_u64;
        while let Some(run) = next(self.source)? {
            let run = self.within(run);
            played = played.saturating_add(run.size.saturating_mul(run.count).min(self.bytes.saturating_sub(run.at)));
            if played > self.bytes {
                return Err(MediaError::Overlapping { container: Container::Mp4 });
            }
            if !self.hand_on(run, self.track.counted, sink, budget)? {
                return Ok(Some(self.bytes));
            }
        }
        Ok(None)
    }

    /// Plays the parts of an edit list that goes back in the track.
    fn play_again(mut self, sink: &mut dyn PacketSink, budget: &mut Budget) -> Result<Option<u64>, MediaError> {
        let Some(mut repeats) = Repeats::for_track(self.source, self.track)? else { return Ok(None) };
        let again = TrackId(self.track.counted.0.saturating_add(u32::try_from(MAX_TRACKS).unwrap_or(u32::MAX)));
        sink.track(again, &self.track.description.params)?;
        while let Some(mut pass) = repeats.next_pass() {
            let Some(mut samples) = Samples::new(self.source, self.track, true)? else { break };
            while let Some(run) = samples.next(self.source)? {
                let mut rest = Some(run);
                while let Some(part) = pass.take(self.source, &mut rest)? {
                    if !self.hand_on(self.within(part), again, sink, budget)? {
                        return Ok(Some(self.bytes));
                    }
                }
                if !budget.spend(0) {
                    return Ok(Some(self.bytes));
                }
            }
            pass.finish(self.source)?;
        }
        Ok(None)
    }

    /// Limits `run` to the packets that are in the file. The last packet may be cut off.
    fn within(&self, run: Run) -> Run {
        let available = self.bytes.saturating_sub(run.at);
        if run.size == 0 {
            Run { count: 0, ..run }
        } else {
            Run { count: run.count.min(available.div_ceil(run.size)), ..run }
        }
    }

    /// Hands the packets of `run` to `sink`. Returns `false` if the budget is spent.
    fn hand_on(
        &mut self,
        run: Run,
        to: TrackId,
        sink: &mut dyn PacketSink,
        budget: &mut Budget,
    ) -> Result<bool, MediaError> {
        if self.track.description.pcm_frame > 0 {
            // Any number of samples may be a packet.
            let size = run.size.saturating_mul(run.count).min(self.bytes.saturating_sub(run.at));
            if size > 0 {
                self.packet(run.at, size, to, sink)?;
            }
            return Ok(budget.spend(0));
        }
        for place in 0..run.count {
            let at = run.at.saturating_add(run.size.saturating_mul(place));
            let size = run.size.min(self.bytes.saturating_sub(at));
            let seen = self.packet(at, size, to, sink)?;
            if !budget.spend(seen) {
                return Ok(false);
            }
        }
        Ok(budget.spend(0))
    }

    /// Hands one packet to `sink`, and returns the number of bytes examined.
    fn packet(&mut self, at: u64, size: u64, to: TrackId, sink: &mut dyn PacketSink) -> Result<u64, MediaError> {
        let wanted = match sink.begin(to, size, None) {
            Wants::Nothing => 0,
            Wants::First(count) => u64::try_from(count).unwrap_or(u64::MAX).min(size),
            Wants::Everything => size,
        };
        let mut seen = 0;
        while seen < wanted {
            let more = usize::try_from(wanted - seen).unwrap_or(usize::MAX);
            let bytes = self.buffer.bytes(self.source, at.saturating_add(seen), more)?;
            if bytes.is_empty() {
                break;
            }
            sink.bytes(to, bytes);
            seen += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        }
        if size > seen {
            sink.unseen(to, size - seen);
        }
        sink.end(to);
        Ok(seen)
    }
}
