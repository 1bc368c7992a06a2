//! Fragments (ISO/IEC 14496-12 §8.8): lists of samples, each list before its samples. This module hands on the samples as
//! they arrive, so it can read a recording that is still arriving.

use super::super::MediaError;
use super::super::demux::PacketSink;
use super::boxes::Fields;
use super::error::{feature, too_short};
use super::movie::{Movie, Numbered, Track};
use super::pending::{Pending, Queue, Samples};

/// The maximum number of bytes for the sizes of samples that have not arrived: those of some six hours of AAC.
const MAX_HELD: usize = 2 * 1024 * 1024;
/// The maximum number of lists whose samples have not arrived.
const MAX_RUNS: usize = 16 * 1024;

/// The sound of fragments whose samples have not arrived yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Fragments {
    /// The offset of the current fragment.
    begins: u64,
    /// The offset of samples without a stated offset: the end of the samples before. `None` if players differ about it.
    implied: Option<u64>,
    /// The header of the current part of a track. It stays in force if the next header is about an unknown track.
    head: Option<Head>,
    tracks: Vec<Pending>,
    /// The number of lists held for all tracks; `held` is the number of bytes for their sizes.
    runs: usize,
    held: usize,
}

/// A `tfhd`.
#[derive(Debug, Clone, Copy)]
struct Head {
    number: u32,
    base: Option<u64>,
    description: u32,
    size: u32,
}

/// A list during reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The offset of the entries.
    pub(super) begins: u64,
    /// The size of an entry in bytes; `size_at` is the offset of the sample size in it.
    pub(super) entry: usize,
    size_at: usize,
    /// The number of entries left.
    pub(super) left: u32,
    /// The offset of the next sample.
    at: u64,
    track: Option<usize>,
    /// True if the end of this list is the implied offset of the next.
    moves_implied: bool,
}

impl Fragments {
    /// Returns the number of bytes held for samples that have not arrived.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.saturating_add(self.runs.saturating_mul(size_of::<Samples>()))
    }

    /// Begins a `moof`.
    pub(super) fn begin(&mut self, at: u64) {
        self.begins = at;
        self.implied = Some(at);
        self.head = None;
    }

    /// Reads a `tfhd` of `size` bytes.
    pub(super) fn read_head(&mut self, movie: &Movie, content: &[u8], size: u64) -> Result<(), MediaError> {
        let mut fields = Fields(content);
        let mut read = || {
            let (_, flags) = fields.version_and_flags()?;
            let number = fields.u32()?;
            let defaults = movie.defaults(number);
            let base = match flags {
                flags if flags & 0x1 != 0 => Some(fields.u64()?),
                flags if flags & 0x2_0000 != 0 => Some(self.begins),
                _ => self.implied,
            };
            let mut optional = |flag| if flags & flag != 0 { fields.u32().map(Some) } else { Some(None) };
            let (description, _duration, size) = (optional(0x2)?, optional(0x8)?, optional(0x10)?);
            Some(defaults.map(|defaults| Head {
                number,
                base,
                description: description.unwrap_or(defaults.description),
                size: size.unwrap_or(defaults.size),
            }))
        };
        match read() {
            Some(head) => self.head = head.or(self.head),
            None => return whole(content, size),
        }
        Ok(())
    }

    /// Reads a `trun` of `size` bytes, whose content begins at `begins`. Returns the list if entries are left to read.
    pub(super) fn read_run(
        &mut self,
        movie: &Movie,
        content: &[u8],
        size: u64,
        begins: u64,
    ) -> Result<Option<Run>, MediaError> {
        let Some(head) = self.head else { return Ok(None) };
        let track = match movie.find(head.number) {
            Some(Numbered::Sound(place)) => Some(place),
            Some(Numbered::Other) => None,
            None => return Ok(None),
        };
        let mut fields = Fields(content);
        let mut read = || {
            let ((_, flags), count) = fields.version_and_flags().zip(fields.u32())?;
            let offset = if flags & 0x1 != 0 { i32::from_be_bytes(fields.take()?) } else { 0 };
            Some((flags, count, offset))
        };
        let Some((flags, count, offset)) = read() else { return whole(content, size).map(|()| None) };
        if count == 0 {
            return Ok(None);
        }
        let Some(base) = head.base else {
            return Err(feature("does not say where a fragment's sound is"));
        };
        let at = base.wrapping_add_signed(offset.into());
        let [duration, sized] = [0x100, 0x200].map(|flag| if flags & flag != 0 { 4 } else { 0 });
        let entry: u32 = (flags & 0xf00).count_ones() * 4;
        let fixed = 8 + (flags & 0x5).count_ones() * 4;
        if u64::from(fixed) + u64::from(count) * u64::from(entry) > size {
            return Err(too_short());
        }
        // Players that follow descriptions skip lists with another description and ignore their end.
        let moves_implied = head.description == 1;
        let run = Run {
            begins: begins.saturating_add(fixed.into()),
            entry: usize::try_from(entry).unwrap_or_default(),
            size_at: duration,
            left: count,
            at,
            track,
            moves_implied,
        };
        if sized == 0 {
            let bytes = u64::from(count).saturating_mul(head.size.into());
            self.add(track, Samples { at, count, size: Some(head.size) })?;
            self.implied = moves_implied.then_some(at.saturating_add(bytes));
            return Ok(None);
        }
        self.add(track, Samples { at, count, size: None })?;
        Ok(Some(run))
    }

    /// Reads the entries of a list that `content` holds, and returns the number of bytes that they take.
    pub(super) fn read_entries(&mut self, run: &mut Run, content: &[u8]) -> Result<usize, MediaError> {
        let mut taken = 0;
        for entry in content.chunks_exact(run.entry.max(1)).take(usize::try_from(run.left).unwrap_or(usize::MAX)) {
            let size = entry.get(run.size_at..).and_then(|size| size.first_chunk().copied()).map(u32::from_be_bytes);
            let size = size.unwrap_or_default();
            if let Some(place) = run.track {
                self.add_size(place, size)?;
            }
            run.at = run.at.saturating_add(size.into());
            run.left -= 1;
            taken += run.entry;
        }
        if run.left == 0 {
            self.implied = run.moves_implied.then_some(run.at);
        }
        Ok(taken)
    }

    fn add(&mut self, track: Option<usize>, samples: Samples) -> Result<(), MediaError> {
        let Some(place) = track else { return Ok(()) };
        self.runs += 1;
        if self.runs > MAX_RUNS {
            return Err(too_many());
        }
        if self.tracks.len() <= place {
            self.tracks.resize_with(place.saturating_add(1), Pending::default);
        }
        if let Some(pending) = self.tracks.get_mut(place) {
            pending.add(samples);
        }
        Ok(())
    }

    fn add_size(&mut self, place: usize, size: u32) -> Result<(), MediaError> {
        self.held += self.tracks.get_mut(place).map_or(0, |pending| pending.add_size(size));
        if self.held > MAX_HELD { Err(too_many()) } else { Ok(()) }
    }

    /// Returns the number of bytes from `at` that can be skipped or shown at once; a window shows `shown` of them.
    pub(super) fn step(&self, at: u64, shown: u64) -> u64 {
        let next = self.tracks.iter().filter_map(Pending::next_at).min();
        next.map_or(u64::MAX, |next| next.saturating_sub(at).max(shown))
    }

    /// Processes `bytes`, which begin at offset `at`.
    pub(super) fn show(
        &mut self,
        tracks: &[Track],
        at: u64,
        bytes: &[u8],
        sink: &mut dyn PacketSink,
    ) -> Result<(), MediaError> {
        for (pending, track) in self.tracks.iter_mut().zip(tracks) {
            pending.show(track, at, bytes, sink);
        }
        self.runs = self.tracks.iter().map(Pending::runs).sum();
        self.held = self.tracks.iter().map(Pending::held).sum();
        if self.runs > MAX_RUNS || self.held > MAX_HELD { Err(too_many()) } else { Ok(()) }
    }

    /// Takes the samples of a track that lie in bytes that have already passed.
    pub(super) fn take_behind(&mut self, place: usize) -> Option<Queue> {
        self.tracks.get_mut(place).map(Pending::take_behind)
    }

    /// Closes the open samples at the end of the file.
    pub(super) fn finish(&mut self, tracks: &[Track], sink: &mut dyn PacketSink) {
        for (pending, track) in self.tracks.iter_mut().zip(tracks) {
            pending.finish(track, sink);
        }
    }
}

fn too_many() -> MediaError {
    feature("has a fragment of more samples than any recorder writes")
}

/// Returns an error if `content` is all of a box of `size` bytes: players would read beyond its end.
fn whole(content: &[u8], size: u64) -> Result<(), MediaError> {
    if u64::try_from(content.len()).is_ok_and(|shown| shown < size) { Ok(()) } else { Err(too_short()) }
}
