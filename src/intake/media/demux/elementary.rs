//! A bare stream of frames, as MP3 and native FLAC files are: no container but tags before, behind and between.
//!
//! The frames are one packet to the codec's clock, which follows their chain, passes over what holds no frame, and finds the
//! next one behind it as a decoder would.

use super::super::MediaError;
use super::super::codec::TrackParams;
use super::{Demuxer, PacketSink, Step, TrackId};

const TRACK: TrackId = TrackId(0);

/// Takes a bare stream apart.
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
