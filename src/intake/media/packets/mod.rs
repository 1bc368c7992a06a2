//! The packets of one track, for decoding: the track that a player plays.
//!
//! The demuxers that measured the recording find the packets, so what was measured is what is decoded. The track is the first
//! audio track of the recording, and of each part of a recording that is chained or joined from several.
//!
//! - `event`: what a recording consists of
//! - `collector`: the sink that keeps what one step of a demuxer finds

pub(super) mod collector;
mod event;

pub use event::{EditPart, PacketEvent};

use std::io::{Read, Seek};

use super::MediaError;
use super::caf::Caf;
use super::container::Container;
use super::demux::Demuxer;
use super::detect;
use super::mp4::Mp4Packets;
use super::reader::{Reader, Stepped};
use collector::Collector;

/// A reader of the packets of a recording.
pub struct PacketReader<S> {
    origin: Origin<S>,
    collector: Collector,
}

enum Origin<S> {
    Fed { reader: Reader<S>, demuxer: Box<dyn Demuxer + Send> },
    Mp4(Box<Mp4Packets<S>>),
    Caf(Box<Caf<S>>),
}

impl<S: Read + Seek> PacketReader<S> {
    /// Opens a recording of `bytes` bytes, which intake measured as a file in `container`.
    pub fn open(mut source: S, container: Container, bytes: u64) -> Result<Self, MediaError> {
        let start = detect::audio_start(&mut source)?;
        let origin = match detect::demuxer(container, start, bytes) {
            Some(demuxer) => Origin::Fed { reader: Reader::new(source, start, bytes)?, demuxer },
            None if container == Container::Caf => Origin::Caf(Box::new(Caf::open(source, bytes)?)),
            None => Origin::Mp4(Box::new(Mp4Packets::new(source, bytes)?)),
        };
        Ok(Self { origin, collector: Collector::new(container) })
    }

    /// Reads a little further, at most some 100 KiB, for [`PacketReader::next`]. Returns `false` at the end of the recording.
    /// After [`std::io::ErrorKind::WouldBlock`] it can be called again.
    pub fn advance(&mut self) -> Result<bool, MediaError> {
        let more = match &mut self.origin {
            Origin::Fed { reader, demuxer } => {
                !matches!(reader.step(demuxer.as_mut(), &mut self.collector)?, Stepped::Ended)
            }
            Origin::Mp4(packets) => packets.advance(&mut self.collector)?,
            Origin::Caf(packets) => packets.advance(&mut self.collector)?,
        };
        self.collector.check()?;
        Ok(more)
    }

    /// Returns true if events wait for [`PacketReader::next`].
    pub fn has_events(&self) -> bool {
        self.collector.has_events()
    }

    /// Returns the next of the events found so far; `None` if [`PacketReader::advance`] must read further.
    #[expect(clippy::should_implement_trait, reason = "an event borrows from the reader")]
    pub fn next(&mut self) -> Option<PacketEvent<'_>> {
        self.collector.next()
    }
}
