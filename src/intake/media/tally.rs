//! What a recording plays, added up from the packets that its demuxer finds.

use std::collections::BTreeMap;

use super::codec::{Codec, PacketClock, TrackParams, Wants};
use super::demux::{MAX_TRACKS, PacketSink, Timestamp, TrackId};
use super::{Container, MediaError};
use crate::domain::AudioMs;
use crate::domain::Length;

const NANOS_PER_MS: u64 = 1_000_000;
/// Opus packets of two bytes play 120 ms, and an Ogg page needs a third byte for each.
const MIN_UNSEEN_BITS_PER_SECOND: u64 = 200;

/// Adds up the packets of all tracks. A player plays one track: the longest counts.
pub(super) struct Tally {
    container: Container,
    tracks: BTreeMap<TrackId, PacketClock>,
    /// The codec of the first track.
    codec: Option<Codec>,
    /// What earlier links play, in nanoseconds, and their bytes that no frame explains.
    before: u64,
    stray: u64,
    /// Bytes that were not looked at, since measuring may cost no more, and how many were.
    unseen: u64,
    seen: u64,
    /// The fewest bits a second that any track's codec takes.
    min_bits_per_second: u64,
}

impl Tally {
    pub(super) fn new(container: Container) -> Self {
        let min_bits_per_second = u64::MAX;
        let tracks = BTreeMap::new();
        Self { container, tracks, codec: None, before: 0, stray: 0, unseen: 0, seen: 0, min_bits_per_second }
    }

    /// The fewest bits a second that the sound of this recording can take.
    pub(super) fn min_bits_per_second(&self) -> u64 {
        if self.tracks.is_empty() && self.min_bits_per_second == u64::MAX {
            self.container.min_bits_per_second()
        } else {
            self.min_bits_per_second
        }
    }

    /// `unseen` bytes were not looked at and `seen` were: only a file that is made to cost much comes to that.
    pub(super) fn leave_unseen(&mut self, unseen: u64, seen: u64) {
        (self.unseen, self.seen) = (unseen, seen);
    }

    /// How long what was not looked at could be: as thin as what was, and as thin as packets get that are all silence.
    fn unseen_at_most(&self, played: AudioMs) -> AudioMs {
        let at_the_same_pace = u128::from(played.get()) * u128::from(self.unseen) / u128::from(self.seen.max(1));
        let at_the_same_pace = AudioMs::new(u64::try_from(at_the_same_pace).unwrap_or(u64::MAX));
        at_the_same_pace.max(longest(self.unseen, MIN_UNSEEN_BITS_PER_SECOND))
    }

    /// The length, and how it is encoded. An error where there was no sound at all.
    pub(super) fn conclude(mut self) -> Result<(Option<Codec>, Length), MediaError> {
        self.link();
        let container = self.container;
        if self.codec.is_none() {
            return Err(MediaError::NoAudioTrack { container });
        }
        let played = AudioMs::new(self.before.div_ceil(NANOS_PER_MS));
        let rest = longest(self.stray, self.min_bits_per_second()).saturating_add(self.unseen_at_most(played));
        if played.get() == 0 && rest.get() == 0 {
            return Err(MediaError::NoSound { container });
        }
        let length =
            if rest.get() == 0 { Length::Measured(played) } else { Length::AtMost(played.saturating_add(rest)) };
        Ok((self.codec, length))
    }
}

/// The time that `bytes` last at `bits_per_second`, rounded up.
pub(super) fn longest(bytes: u64, bits_per_second: u64) -> AudioMs {
    AudioMs::from_frames(bytes.saturating_mul(8), bits_per_second).unwrap_or_default()
}

impl PacketSink for Tally {
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError> {
        let container = self.container;
        let clock = PacketClock::new(params, container)?;
        self.min_bits_per_second = self.min_bits_per_second.min(clock.min_bits_per_second());
        self.codec = self.codec.or(Some(clock.codec()));
        if let Some(earlier) = self.tracks.insert(id, clock) {
            // What follows is played after it.
            self.before = self.before.saturating_add(earlier.played());
            self.stray = self.stray.saturating_add(earlier.stray());
        }
        if self.tracks.len() > MAX_TRACKS {
            return Err(MediaError::TooManyTracks { container, allowed: MAX_TRACKS });
        }
        Ok(())
    }

    fn begin(&mut self, id: TrackId, size: u64, _at: Option<Timestamp>) -> Wants {
        self.tracks.get_mut(&id).map_or(Wants::Nothing, |clock| clock.begin(size))
    }

    fn bytes(&mut self, id: TrackId, bytes: &[u8]) {
        if let Some(clock) = self.tracks.get_mut(&id) {
            clock.bytes(bytes);
        }
    }

    fn unseen(&mut self, id: TrackId, count: u64) {
        if let Some(clock) = self.tracks.get_mut(&id) {
            clock.unseen(count);
        }
    }

    fn end(&mut self, id: TrackId) {
        if let Some(clock) = self.tracks.get_mut(&id) {
            clock.end();
        }
    }

    fn stray(&mut self, count: u64) {
        self.stray = self.stray.saturating_add(count);
    }

    fn link(&mut self) {
        let tracks = std::mem::take(&mut self.tracks);
        let longest = tracks.values().map(PacketClock::played).max().unwrap_or_default();
        let stray = tracks.values().map(PacketClock::stray).max().unwrap_or_default();
        self.before = self.before.saturating_add(longest);
        self.stray = self.stray.saturating_add(stray);
    }
}
