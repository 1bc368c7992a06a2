//! Native FLAC (RFC 9639 §8): a marker, metadata blocks that the demuxer skips by their lengths, then frames to the end.

use super::super::codec::{TrackParams, table};
use super::super::{Container, MediaError};
use super::elementary::Elementary;
use super::{Demuxer, PacketSink, Step};

const MARKER: u64 = 4;
const BLOCK_HEADER: usize = 4;
const STREAM_INFO: usize = 34;

/// A demuxer for native FLAC.
pub(in super::super) struct Flac {
    state: State,
}

enum State {
    Marker,
    Blocks { stream_info: Option<Vec<u8>> },
    Frames(Elementary),
}

impl Flac {
    pub(in super::super) fn new() -> Self {
        Self { state: State::Marker }
    }
}

impl Demuxer for Flac {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let stream_info = match &mut self.state {
            State::Marker => {
                self.state = State::Blocks { stream_info: None };
                return Ok(Step::Advance(MARKER));
            }
            State::Blocks { stream_info } => stream_info,
            State::Frames(frames) => return frames.step(window, at_end, sink),
        };
        let Some(&[kind, a, b, c]) = window.first_chunk::<BLOCK_HEADER>() else {
            return if at_end { Err(unfinished()) } else { Ok(Step::Need(BLOCK_HEADER)) };
        };
        let size = u32::from_be_bytes([0, a, b, c]);
        let is_stream_info = kind.trailing_zeros() >= 7;
        if is_stream_info && stream_info.is_none() {
            match window.get(BLOCK_HEADER..BLOCK_HEADER + STREAM_INFO) {
                Some(fields) => *stream_info = Some(fields.to_vec()),
                None if at_end => return Err(unfinished()),
                None => return Ok(Step::Need(BLOCK_HEADER + STREAM_INFO)),
            }
        }
        let is_last = kind & 0x80 != 0;
        if is_last {
            let params = TrackParams {
                codec: Ok(table::FLAC),
                setup: stream_info.take().ok_or_else(unfinished)?,
                ..TrackParams::default()
            };
            self.state = State::Frames(Elementary::new(params));
        }
        Ok(Step::Advance(u64::from(size) + 4))
    }
}

fn unfinished() -> MediaError {
    MediaError::Unfinished { container: Container::Flac, missing: "its stream information (STREAMINFO) is missing" }
}
