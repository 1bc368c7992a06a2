//! One audio track, added up packet by packet.

use std::time::Duration;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use super::packet::{self, Clock};
use super::{Codec, Container};

/// What a track's codec needs to know, if it is an audio track.
pub(super) fn audio(track: &Track) -> Option<&AudioCodecParameters> {
    match track.codec_params.as_ref()? {
        CodecParameters::Audio(params) => Some(params),
        _ => None,
    }
}

/// What has been counted of a track so far.
pub(super) struct Meter {
    pub(super) track: u32,
    pub(super) codec: Option<Codec>,
    clock: Clock,
    base: TimeBase,
    /// What the packets play, one after the other.
    played: Duration,
    /// Silence that an encoder put around the sound so that a decoder takes it off.
    unheard: Duration,
    /// The end of the last packet, past where the stream says that it ends. Only the last one's: a file could claim that
    /// every packet is to be cut.
    cut: Duration,
    may_be_cut: bool,
    /// From the first packet's start to the last one's end, by the container's clock, in its ticks.
    start: Option<i64>,
    end: i64,
    /// Whether nothing but that clock tells the length.
    guessed: bool,
    follows_timeline: bool,
}

impl Meter {
    pub(super) fn new(container: Container, track: &Track) -> Option<Self> {
        let params = audio(track)?;
        let base = track.time_base.or_else(|| TimeBase::try_from_recip(params.sample_rate?))?;
        // The tag that states them has twelve bits for each (LAME's), so at most half a second can be taken off so.
        let unheard = match container {
            Container::Mp3 => {
                track.delay.unwrap_or_default().min(4096 + 529) + track.padding.unwrap_or_default().min(4096)
            }
            _ => 0,
        };
        Some(Self {
            track: track.id,
            codec: packet::name(params.codec),
            clock: Clock::new(container, params),
            base,
            played: Duration::ZERO,
            unheard: packet::ticks(u64::from(unheard), base),
            cut: Duration::ZERO,
            may_be_cut: container == Container::Ogg,
            start: None,
            end: i64::MIN,
            guessed: false,
            // A recorder that pauses leaves a gap, and a player fills it. Ogg and the bare streams have no such clock.
            follows_timeline: matches!(container, Container::Mp4 | Container::Webm),
        })
    }

    pub(super) fn add(&mut self, packet: &Packet) {
        let stated = packet.block_dur();
        match self.clock.duration(packet, self.base) {
            Some(length) => {
                self.played = self.played.saturating_add(length);
                if self.may_be_cut {
                    self.cut = packet::ticks(packet.trim_end.get(), self.base).min(length);
                }
            }
            None => self.guessed = true,
        }
        self.start = Some(self.start.map_or(packet.pts.get(), |start| start.min(packet.pts.get())));
        self.end = self.end.max(packet.pts.saturating_add(stated).get());
    }

    pub(super) fn length(&self) -> Duration {
        let played = self.played.saturating_sub(self.unheard).saturating_sub(self.cut);
        match self.start {
            Some(start) if self.follows_timeline || self.guessed => {
                let span = u64::try_from(i128::from(self.end) - i128::from(start)).unwrap_or_default();
                played.max(packet::ticks(span, self.base))
            }
            _ => played,
        }
    }

    pub(super) fn is_guessed(&self) -> bool {
        self.guessed
    }
}
