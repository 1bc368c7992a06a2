//! Demuxers of live recordings.

use super::error::LiveMediaError;
use super::mp4::LiveMp4;
use crate::intake::media::codec::{TrackParams, table};
use crate::intake::media::demux::{Demuxer, Matroska, Ogg, PacketSink, Step, TrackId, Wav};
use crate::intake::media::packets::collector::Collector;
use crate::intake::media::{Container, MediaError};

/// The most that may be held of what a recording says about itself, and of packets that go on. Recorders write a few
/// kilobytes.
const MAX_HELD: usize = 64 * 1024;

/// A demuxer of a live recording, of which a clone can be shown bytes that may be none of it.
#[derive(Clone)]
pub(super) enum LiveDemuxer {
    Wav(Box<Wav>),
    Ogg(Box<Ogg>),
    Webm(Box<Matroska>),
    Mp4(LiveMp4),
    /// Samples without a container; `None` once the track is declared.
    Bare(Option<Box<TrackParams>>),
}

impl LiveDemuxer {
    /// Returns the demuxer of a container that [`beginning`](super::beginning) detects.
    pub(super) fn new(container: Container) -> Option<Self> {
        match container {
            Container::Wav => Some(Self::Wav(Box::new(Wav::live()))),
            Container::Ogg => Some(Self::Ogg(Box::new(Ogg::new()))),
            Container::Webm => Some(Self::Webm(Box::new(Matroska::live()))),
            Container::Mp4 => Some(Self::Mp4(LiveMp4::new())),
            Container::Mp3 | Container::Flac | Container::Aiff | Container::Caf => None,
        }
    }

    /// Returns the demuxer of samples of 16 bits, lowest byte first.
    pub(super) fn pcm16(rate: u32, channels: u16) -> Self {
        let block_bytes = u32::from(channels).saturating_mul(2);
        let params = TrackParams {
            codec: Ok(table::PCM_S16LE),
            rate,
            channels,
            bits: 16,
            block_bytes,
            ..TrackParams::default()
        };
        Self::Bare(Some(Box::new(params)))
    }

    /// Reads from `window`, like [`Demuxer::step`].
    pub(super) fn step(&mut self, window: &[u8], at_end: bool, sink: &mut Collector) -> Result<Step, LiveMediaError> {
        let step = match self {
            Self::Wav(wav) => wav.step(window, at_end, sink),
            Self::Ogg(ogg) => ogg.step_live(window, at_end, sink),
            Self::Webm(webm) => webm.step(window, at_end, sink),
            Self::Mp4(mp4) => return mp4.step(window, at_end, sink),
            Self::Bare(params) => bare(params, window, sink),
        };
        let step = step.map_err(LiveMediaError::Container)?;
        let (container, held) = match self {
            Self::Ogg(ogg) => (Container::Ogg, ogg.held()),
            Self::Webm(webm) => (Container::Webm, webm.held()),
            Self::Wav(_) | Self::Bare(_) | Self::Mp4(_) => return Ok(step),
        };
        if held > MAX_HELD { Err(LiveMediaError::TooLarge { container }) } else { Ok(step) }
    }

    /// Returns true if the bytes read last are none of the recording.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Ogg(ogg) => ogg.is_lost(),
            Self::Webm(webm) => webm.is_lost(),
            // Any bytes can be samples; MP4 has no place to go on behind an error.
            Self::Wav(_) | Self::Bare(_) | Self::Mp4(_) => false,
        }
    }

    /// Takes the next bytes of the recording, before [`LiveDemuxer::step`] reads them.
    pub(super) fn arrived(&mut self, bytes: &[u8]) {
        if let Self::Mp4(mp4) = self {
            mp4.arrived(bytes);
        }
    }

    /// Gives back the memory that nothing needs.
    pub(super) fn trim(&mut self) {
        if let Self::Mp4(mp4) = self {
            mp4.trim();
        }
    }
}

/// Hands all of `window` to `sink`.
fn bare(params: &mut Option<Box<TrackParams>>, window: &[u8], sink: &mut Collector) -> Result<Step, MediaError> {
    const TRACK: TrackId = TrackId(0);
    if let Some(params) = params.take() {
        sink.track(TRACK, &params)?;
        sink.begin(TRACK, u64::MAX, None);
    }
    if window.is_empty() {
        return Ok(Step::End);
    }
    sink.bytes(TRACK, window);
    Ok(Step::Advance(u64::try_from(window.len()).unwrap_or(u64::MAX)))
}
