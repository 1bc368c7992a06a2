//! The samples that a track's tables list (ISO/IEC 14496-12 §8.6 and §8.7), grouped into packets as ffmpeg groups them.

use std::io::{Read, Seek};

use super::super::MediaError;
use super::boxes::Fields;
use super::cursor::Cursor;
use super::error::feature;
use super::lists::{MAX_STEP, SizeList, Times};
use super::movie::Track;
use super::track_tables::{Sizes, Tables};

/// The maximum number of PCM samples that ffmpeg puts into one packet.
const SAMPLES_PER_PACKET: u64 = 1024;
/// The number of samples from which a frame is a packet of its own.
const LARGE_FRAME: u64 = 160;
/// The largest number in a table of chunks: ffmpeg reads it as a signed number.
const MAX_FIELD: u64 = 0x7fff_ffff;

/// The maximum number of empty entries of a table of chunks, which are read at once.
const MAX_EMPTY: u32 = 4096;

/// A run of packets of one size that are consecutive in the file and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: u64,
    pub(super) size: u64,
    pub(super) count: u64,
    /// The start of the first packet in ticks of the track; `step` is the duration of each packet in the same ticks.
    pub(super) time: i64,
    pub(super) step: u64,
}

impl Run {
    /// Returns the part of the run from the packet `first`, at most `count` packets.
    pub(super) fn part(&self, first: u64, count: u64) -> Self {
        Self {
            at: self.at.saturating_add(self.size.saturating_mul(first)),
            count: count.min(self.count.saturating_sub(first)),
            time: self.time.saturating_add(i64::try_from(self.step.saturating_mul(first)).unwrap_or(i64::MAX)),
            ..*self
        }
    }
}

/// An iterator over a track's packets in the order of its tables.
#[derive(Debug)]
pub(super) struct Samples {
    offsets: Offsets,
    /// The offset of the next chunk; `chunk` is its number, from 1.
    next_offset: Option<u64>,
    chunk: u64,
    chunks: Cursor<12>,
    /// The number of samples in the current chunk; `next_per_chunk` holds the first chunk with another number, and that number.
    per_chunk: u64,
    next_per_chunk: Option<(u64, u64)>,
    chunk_of_last_entry: u64,
    packets: Packets,
    times: Times,
    time: i64,
    /// The offset of the rest of the current chunk; `left` is the number of samples in it.
    at: u64,
    left: u64,
    rest: Option<Run>,
}

/// The division of a chunk into packets.
#[derive(Debug)]
enum Packets {
    /// A sample per packet, all of one size. `decoded` is the known size of a PCM sample, and 0 for every other codec.
    Alike { size: u64, decoded: u64, left: u64 },
    /// A sample per packet, each with a size in the list.
    Listed(SizeList),
    /// Frames of `samples` samples in `bytes` bytes each. The sizes of samples do not count.
    Framed { samples: u64, bytes: u64 },
    /// Any number of samples per packet.
    Raw { sample: u64 },
}

impl Samples {
    /// Returns the packets of `track`, or `None` if it has no tables. `timed`: the start times of packets matter.
    pub(super) fn new<S: Read + Seek>(source: &mut S, track: &Track, timed: bool) -> Result<Option<Self>, MediaError> {
        let Tables { offsets: Some(offsets), chunks: Some(chunks), .. } = track.tables else { return Ok(None) };
        let offsets = if track.tables.wide_offsets {
            Offsets::Wide(Cursor::new(offsets))
        } else {
            Offsets::Narrow(Cursor::new(offsets))
        };
        let Some(packets) = Packets::for_track(track) else { return Ok(None) };
        let clock = track.tables.times.filter(|_| timed).map(Cursor::new);
        let mut samples = Self {
            offsets,
            next_offset: None,
            chunk: 0,
            chunks: Cursor::new(chunks),
            per_chunk: 0,
            next_per_chunk: None,
            chunk_of_last_entry: 0,
            packets,
            times: Times::new(clock),
            time: 0,
            at: 0,
            left: 0,
            rest: None,
        };
        samples.read_per_chunk(source)?;
        // The first entry also holds for all chunks before it.
        samples.per_chunk = samples.next_per_chunk.take().map_or(0, |(_, count)| count);
        samples.read_per_chunk(source)?;
        samples.read_offset(source)?;
        Ok(Some(samples))
    }

    /// Returns the next packets.
    pub(super) fn next<S: Read + Seek>(&mut self, source: &mut S) -> Result<Option<Run>, MediaError> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        if self.left == 0 && !self.begin_chunk(source)? {
            return Ok(None);
        }
        let at = self.at;
        let (size, count, step) = match &mut self.packets {
            Packets::Alike { size, left, .. } => {
                let (step, count) = self.times.take(source, self.left.min(*left))?;
                *left -= count;
                if count == 0 {
                    return Ok(None);
                }
                self.left -= count;
                (*size, count, step)
            }
            Packets::Listed(sizes) => {
                let Some(size) = sizes.next(source)? else { return Ok(None) };
                let (step, _) = self.times.take(source, 1)?;
                self.left -= 1;
                (size, 1, step)
            }
            Packets::Framed { samples, bytes } => {
                let (samples, bytes) = (*samples, *bytes);
                let per_packet = if samples >= LARGE_FRAME { samples } else { SAMPLES_PER_PACKET / samples * samples };
                if samples >= LARGE_FRAME && !self.left.is_multiple_of(samples) && self.next_offset.is_some() {
                    return Err(feature("has chunks that end within a frame"));
                }
                return Ok(self.divide(per_packet, samples, bytes));
            }
            Packets::Raw { sample } => {
                let sample = *sample;
                return Ok(self.divide(SAMPLES_PER_PACKET, 1, sample));
            }
        };
        self.at = at.saturating_add(size.saturating_mul(count));
        let time = self.advance(step.saturating_mul(count));
        Ok(Some(Run { at, size, count, time, step }))
    }

    /// Moves to the next chunk. Returns `false` if there is none.
    fn begin_chunk<S: Read + Seek>(&mut self, source: &mut S) -> Result<bool, MediaError> {
        let Some(at) = self.next_offset else { return Ok(false) };
        if let Some((_, per_chunk)) = self.next_per_chunk.filter(|(first, _)| *first == self.chunk) {
            self.per_chunk = per_chunk;
            self.read_per_chunk(source)?;
        }
        (self.at, self.left) = (at, self.per_chunk);
        self.read_offset(source)?;
        if let Packets::Alike { size, decoded, .. } = &mut self.packets {
            // Some encoders state a wrong sample size: 1, or the size for another number of channels.
            let room = self.next_offset.map_or(u64::MAX, |next| next.saturating_sub(at));
            let too_large = room > 0 && *size > *decoded && self.per_chunk.saturating_mul(*size) > room;
            if *decoded > 0 && (*size < *decoded || too_large) {
                *size = *decoded;
            }
        }
        Ok(true)
    }

    /// Divides the whole chunk into packets of `per_packet` samples; each `samples` samples take `bytes` bytes.
    fn divide(&mut self, per_packet: u64, samples: u64, bytes: u64) -> Option<Run> {
        let all = std::mem::take(&mut self.left);
        let (count, rest) = (all / per_packet, all % per_packet);
        let size = per_packet / samples * bytes;
        let last = rest / samples * bytes;
        let time = self.advance(all);
        let run = Run { at: self.at, size, count, time, step: per_packet };
        let rest = Run { size: last, count: 1, step: rest, ..run.part(count, 0) };
        if last > 0 {
            self.rest = Some(rest);
        }
        if count > 0 { Some(run) } else { self.rest.take().or(Some(run)) }
    }

    /// Advances the time by `ticks`, and returns the time before.
    fn advance(&mut self, ticks: u64) -> i64 {
        let now = self.time;
        self.time = now.saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX));
        now
    }

    fn read_offset<S: Read + Seek>(&mut self, source: &mut S) -> Result<(), MediaError> {
        self.chunk += 1;
        self.next_offset = match &mut self.offsets {
            Offsets::Narrow(table) => table.next(source)?.map(|offset| u32::from_be_bytes(offset).into()),
            // An offset beyond any file reads as the beginning of the file.
            Offsets::Wide(table) => table.next(source)?.map(|offset| {
                let offset = u64::from_be_bytes(offset);
                if i64::try_from(offset).is_ok() { offset } else { 0 }
            }),
        };
        Ok(())
    }

    /// Reads the next first chunk and its number of samples per chunk.
    fn read_per_chunk<S: Read + Seek>(&mut self, source: &mut S) -> Result<(), MediaError> {
        self.next_per_chunk = None;
        let Some(entry) = self.chunks.next(source)? else { return Ok(()) };
        let [first, count, description] = fields(entry);
        let after = self.chunk_of_last_entry;
        // All players ignore empty entries at the end. They differ about other tables, so those are refused.
        if count == 0 && after > 0 {
            for _ in 0..MAX_EMPTY {
                match self.chunks.next(source)? {
                    None => return Ok(()),
                    Some(entry) if fields(entry)[1] > 0 => return Err(broken()),
                    Some(_) => {}
                }
            }
            return Err(feature("has more empty entries in an index than any recorder writes"));
        }
        if count == 0
            || description == 0
            || first <= after
            || [first, count, description].iter().any(|field| *field > MAX_FIELD)
        {
            return Err(broken());
        }
        self.chunk_of_last_entry = first;
        self.next_per_chunk = Some((first, count));
        Ok(())
    }
}

fn fields(entry: [u8; 12]) -> [u64; 3] {
    let mut fields = Fields(&entry);
    [(); 3].map(|()| fields.u32().unwrap_or_default().into())
}

fn broken() -> MediaError {
    feature("has an index that says in two ways where samples are (stsc)")
}

/// The offsets of chunks.
#[derive(Debug)]
enum Offsets {
    Narrow(Cursor<4>),
    Wide(Cursor<8>),
}

impl Packets {
    fn for_track(track: &Track) -> Option<Self> {
        let description = &track.description;
        let decoded = description.pcm_frame;
        let stated = match track.tables.sizes {
            Some(Sizes::Constant { size, .. }) => u64::from(size),
            _ => 0,
        };
        // Old files count samples, not packets.
        if track.tables.only_step.is_some_and(|step| step == 1 || step > MAX_STEP) {
            let [samples, bytes] = [description.samples_per_frame, description.bytes_per_frame].map(u64::from);
            return Some(if samples > 1 {
                Self::Framed { samples, bytes }
            } else {
                Self::Raw { sample: if decoded > 0 { decoded } else { stated } }
            });
        }
        Some(match track.tables.sizes? {
            Sizes::Constant { count, .. } => Self::Alike { size: stated, decoded, left: count.into() },
            Sizes::Listed { table, bits } => Self::Listed(SizeList::new(table, bits)),
        })
    }
}
