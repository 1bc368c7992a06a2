//! Bare streams of frames, as in MP3 and native FLAC files: no container, only tags before, between and after the frames.
//!
//! All frames are one packet to the codec's clock. The clock follows the chain of frames, skips bytes that hold no frame, and
//! finds the next frame after them as a decoder would.

use super::super::MediaError;
use super::super::codec::TrackParams;
use super::{Demuxer, PacketSink, Step, TrackId};

const TRACK: TrackId = TrackId(0);

/// A demuxer for a bare stream of frames.
pub(in super::super) struct Elementary {
    params: TrackParams,
    begun: bool,
}

impl Elementary {
    pub(in super::super) fn new(params: TrackParams) -> Self {
        Self { params, begun: false }
    }
}

impl Demuxer for Elementary {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        if !self.begun {
            self.begun = true;
            sink.track(TRACK, &self.params)?;
            sink.begin(TRACK, u64::MAX, None);
        }
        if window.is_empty() && at_end {
            sink.end(TRACK);
            return Ok(Step::End);
        }
        sink.bytes(TRACK, window);
        Ok(Step::Advance(u64::try_from(window.len()).unwrap_or(u64::MAX)))
    }
}
