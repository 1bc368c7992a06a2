//! The fragments of MP4, without the file before them.

use std::io::Cursor;

use super::error::LiveMediaError;
use crate::intake::media::demux::{Demuxer, Step};
use crate::intake::media::mp4::LiveWalk;
use crate::intake::media::packets::collector::Collector;
use crate::intake::media::{Container, MediaError};

/// The most that is kept of a recording's beginning, up to its first fragment. Recorders write a kilobyte or two.
const MAX_HEAD: usize = 64 * 1024;
/// The most that may be held of the lists of fragments: some ten minutes of packets.
const MAX_HELD: usize = 48 * 1024;

/// A demuxer of MP4 in fragments.
#[derive(Clone)]
pub(super) struct LiveMp4 {
    walk: Box<LiveWalk>,
    /// The bytes up to the first fragment, in which the index has lists that are read late; `None` once they are read.
    head: Option<Vec<u8>>,
}

impl LiveMp4 {
    pub(super) fn new() -> Self {
        Self { walk: Box::new(LiveWalk::live()), head: Some(Vec::new()) }
    }

    /// Reads from `window`, like [`Demuxer::step`].
    pub(super) fn step(&mut self, window: &[u8], at_end: bool, sink: &mut Collector) -> Result<Step, LiveMediaError> {
        if self.walk.has_fragments()
            && let Some(head) = self.head.take()
        {
            self.walk.hand_on_edits(&mut Cursor::new(head), sink).map_err(LiveMediaError::Container)?;
        }
        if self.head.as_ref().is_some_and(|head| head.len() > MAX_HEAD) {
            let what = "has no fragment in its first 64 KiB, so it cannot be decoded while it arrives";
            return Err(LiveMediaError::Container(MediaError::Feature { container: Container::Mp4, what }));
        }
        let step = self.walk.step(window, at_end, sink).map_err(LiveMediaError::Container)?;
        if self.walk.held() > MAX_HELD {
            return Err(LiveMediaError::TooLarge { container: Container::Mp4 });
        }
        Ok(step)
    }

    /// Takes the next bytes of the recording, before [`LiveMp4::step`] reads them.
    pub(super) fn arrived(&mut self, bytes: &[u8]) {
        if let Some(head) = self.head.as_mut().filter(|head| head.len() <= MAX_HEAD) {
            head.extend_from_slice(bytes);
        }
    }

    /// Gives back the memory that nothing needs.
    pub(super) fn trim(&mut self) {
        if let Some(head) = &mut self.head {
            head.shrink_to_fit();
        }
    }
}
