//! The packets of a live recording.

use super::beginning;
use super::demuxer::LiveDemuxer;
use super::error::LiveMediaError;
use crate::intake::media::Container;
use crate::intake::media::demux::{MAX_WINDOW, Step};
use crate::intake::media::packets::PacketEvent;
use crate::intake::media::packets::collector::Collector;

/// The packets of a live recording, as far as its bytes have come. A clone is another reading of the same recording, to try
/// out whether bytes continue it.
#[derive(Clone)]
pub struct LivePackets {
    /// The bytes that are not processed, behind the first `used`.
    window: Vec<u8>,
    used: usize,
    /// The number of bytes that the demuxer asked for.
    needed: usize,
    /// The number of bytes to pass over before the window.
    skipped: u64,
    is_ended: bool,
    known: Option<Known>,
}

/// What is known once the container is.
#[derive(Clone)]
struct Known {
    /// `None`: samples without one.
    container: Option<Container>,
    demuxer: LiveDemuxer,
    collector: Collector,
}

/// The result of reading on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveStep {
    /// Something was read, and more may be.
    Read,
    /// More bytes must come first.
    Starved,
    /// The recording has ended.
    Ended,
}

impl LivePackets {
    /// Begins a recording whose first bytes will show its container.
    pub fn detected() -> Self {
        Self { window: Vec::new(), used: 0, needed: 1, skipped: 0, is_ended: false, known: None }
    }

    /// Begins a recording of bare samples of 16 bits, lowest byte first.
    pub fn pcm16(rate: u32, channels: u16) -> Self {
        let (demuxer, collector) = (LiveDemuxer::pcm16(rate, channels), Collector::live(Container::Wav));
        Self { known: Some(Known { container: None, demuxer, collector }), ..Self::detected() }
    }

    /// Returns the container, once it is known and if there is one.
    pub fn container(&self) -> Option<Container> {
        self.known.as_ref()?.container
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(known) = &mut self.known {
            known.demuxer.arrived(bytes);
        }
        let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(bytes.len());
        self.skipped -= u64::try_from(skipped).unwrap_or_default();
        self.window.drain(..self.used);
        self.used = 0;
        self.window.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
    }

    /// Ends the recording.
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// Returns true if no more bytes come.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Reads a little further, for [`LivePackets::next`].
    pub fn advance(&mut self) -> Result<LiveStep, LiveMediaError> {
        let window = self.window.get(self.used..).unwrap_or_default();
        let Some(known) = &mut self.known else {
            let container = beginning::container(window)?;
            let demuxer = container.and_then(LiveDemuxer::new);
            let Some((container, mut demuxer)) = container.zip(demuxer) else {
                return Ok(if self.is_ended { LiveStep::Ended } else { LiveStep::Starved });
            };
            demuxer.arrived(window);
            let collector = Collector::live(container);
            self.known = Some(Known { container: Some(container), demuxer, collector });
            return Ok(LiveStep::Read);
        };
        if !self.is_ended && (window.is_empty() || window.len() < self.needed) {
            return Ok(LiveStep::Starved);
        }
        match known.demuxer.step(window, self.is_ended, &mut known.collector)? {
            Step::Advance(_) if window.is_empty() => Ok(LiveStep::Ended),
            Step::Advance(count) => {
                let shown = usize::try_from(count.max(1)).unwrap_or(usize::MAX).min(window.len());
                self.used += shown;
                self.skipped = count.saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX));
                self.needed = 1;
                Ok(LiveStep::Read)
            }
            Step::Need(count) if !self.is_ended && count > window.len() && count <= MAX_WINDOW => {
                self.needed = count;
                Ok(LiveStep::Starved)
            }
            Step::Need(_) if !self.is_ended => {
                Err(LiveMediaError::TooLarge { container: known.container.unwrap_or(Container::Wav) })
            }
            Step::Need(_) | Step::End => Ok(LiveStep::Ended),
        }
    }

    /// Returns true if events wait for [`LivePackets::next`].
    pub fn has_events(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.collector.has_events())
    }

    /// Returns the next of the events found so far; `None` if [`LivePackets::advance`] must read further.
    #[expect(clippy::should_implement_trait, reason = "an event borrows from the reader")]
    pub fn next(&mut self) -> Option<PacketEvent<'_>> {
        self.known.as_mut()?.collector.next()
    }

    /// Reads all of `bytes`, and drops what they hold.
    pub fn try_out(&mut self, bytes: &[u8]) -> Result<(), LiveMediaError> {
        self.push(bytes);
        while self.advance()? == LiveStep::Read {
            while self.next().is_some() {}
        }
        while self.next().is_some() {}
        Ok(())
    }

    /// Checks that what was read continues the recording: it does not end among bytes that belong to nothing.
    pub fn check(&self) -> Result<(), LiveMediaError> {
        match &self.known {
            Some(Known { container: Some(container), demuxer, .. }) if demuxer.is_lost() => {
                Err(LiveMediaError::NoContinuation { container: *container })
            }
            _ => Ok(()),
        }
    }

    /// Gives back the memory that nothing needs until more bytes come.
    pub fn trim(&mut self) {
        self.window.drain(..self.used);
        self.used = 0;
        self.window.shrink_to_fit();
        if let Some(known) = &mut self.known {
            known.collector.trim();
            known.demuxer.trim();
        }
    }

    /// Returns the number of bytes held of what was pushed.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.window.capacity() + self.known.as_ref().map_or(0, |known| known.collector.held())
    }
}
