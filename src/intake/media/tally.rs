//! The length of a recording, summed over the packets that its demuxer finds.

use std::collections::BTreeMap;

use super::codec::{Codec, PacketClock, TrackParams, Wants};
use super::demux::{MAX_TRACKS, PacketSink, Timestamp, TrackId};
use super::{Container, MediaError};
use crate::domain::AudioMs;
use crate::domain::Length;

const NANOS_PER_MS: u64 = 1_000_000;
/// The lowest bit rate of unexamined bytes: Opus packets of two bytes play 120 ms, and an Ogg page needs a third byte for
/// each packet.
const MIN_UNSEEN_BITS_PER_SECOND: u64 = 200;

/// The sums over the packets of all tracks. Players play one track, so the longest track counts.
pub(super) struct Tally {
    container: Container,
    tracks: BTreeMap<TrackId, PacketClock>,
    /// The codec of the first track.
    codec: Option<Codec>,
    /// The length of earlier links, in nanoseconds; `stray` is the number of bytes that belong to no frame.
    before: u64,
    stray: u64,
    /// The number of bytes not examined because the budget was spent; `seen` is the number of bytes examined.
    unseen: u64,
    seen: u64,
    /// The lowest bit rate, in bits per second, of any track's codec.
    min_bits_per_second: u64,
}

impl Tally {
    pub(super) fn new(container: Container) -> Self {
        let min_bits_per_second = u64::MAX;
        let tracks = BTreeMap::new();
        Self { container, tracks, codec: None, before: 0, stray: 0, unseen: 0, seen: 0, min_bits_per_second }
    }

    /// Returns the lowest possible bit rate, in bits per second, of the audio in this recording.
    pub(super) fn min_bits_per_second(&self) -> u64 {
        if self.tracks.is_empty() && self.min_bits_per_second == u64::MAX {
            self.container.min_bits_per_second()
        } else {
            self.min_bits_per_second
        }
    }

    /// Records that `unseen` bytes were not examined and `seen` bytes were. Only a file made to be expensive gets here.
    pub(super) fn leave_unseen(&mut self, unseen: u64, seen: u64) {
        (self.unseen, self.seen) = (unseen, seen);
    }

    /// Returns the maximum length of the unexamined bytes: the longer of their length at the bit rate of the examined bytes
    /// and their length at the bit rate of packets that hold only silence.
    fn max_unseen_duration(&self, played: AudioMs) -> AudioMs {
        let at_the_same_rate = u128::from(played.get()) * u128::from(self.unseen) / u128::from(self.seen.max(1));
        let at_the_same_rate = AudioMs::new(u64::try_from(at_the_same_rate).unwrap_or(u64::MAX));
        at_the_same_rate.max(max_duration(self.unseen, MIN_UNSEEN_BITS_PER_SECOND))
    }

    /// Returns the codec and the length, or an error if the recording holds no sound.
    pub(super) fn conclude(mut self) -> Result<(Option<Codec>, Length), MediaError> {
        self.link();
        let container = self.container;
        if self.codec.is_none() {
            return Err(MediaError::NoAudioTrack { container });
        }
        let played = AudioMs::new(self.before.div_ceil(NANOS_PER_MS));
        let rest =
            max_duration(self.stray, self.min_bits_per_second()).saturating_add(self.max_unseen_duration(played));
        if played.get() == 0 && rest.get() == 0 {
            return Err(MediaError::NoSound { container });
        }
        let length =
            if rest.get() == 0 { Length::Measured(played) } else { Length::AtMost(played.saturating_add(rest)) };
        Ok((self.codec, length))
    }
}

/// Returns the duration of `bytes` at `bits_per_second`, rounded up.
pub(super) fn max_duration(bytes: u64, bits_per_second: u64) -> AudioMs {
    AudioMs::from_frames(bytes.saturating_mul(8), bits_per_second).unwrap_or_default()
}

impl PacketSink for Tally {
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError> {
        let container = self.container;
        let clock = PacketClock::new(params, container)?;
        self.min_bits_per_second = self.min_bits_per_second.min(clock.min_bits_per_second());
        self.codec = self.codec.or(Some(clock.codec()));
        if let Some(earlier) = self.tracks.insert(id, clock) {
            // Players play the new track after the earlier one.
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
