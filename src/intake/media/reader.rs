//! The reader that shows a demuxer a recording, window by window.

use std::io::{self, Read, Seek, SeekFrom};

use super::MediaError;
use super::budget::Budget;
use super::buffer::Buffer;
use super::demux::{Demuxer, MAX_WINDOW, PacketSink, Step};

/// The minimum number of bytes read at once.
const BLOCK: usize = 32 * 1024;

/// A recording, `start..end` of a source, shown window by window.
pub(super) struct Reader<S> {
    source: S,
    /// The offset of the window in the source.
    position: u64,
    end: u64,
    window: Buffer,
    /// The number of bytes at the front of the window that are already processed.
    used: usize,
    /// The number of bytes that the window must hold before the next step.
    needed: usize,
}

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stepped {
    /// The number of bytes that the demuxer examined.
    By(u64),
    /// The end of the recording, or of the part that matters.
    Ended,
}

/// The reason for the end of a demuxer's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The end of the recording, or of the part that matters.
    Whole,
    /// A spent budget; `left` bytes were not examined.
    OverBudget { left: u64 },
}

impl<S: Read + Seek> Reader<S> {
    pub(super) fn new(source: S, start: u64, end: u64) -> io::Result<Self> {
        Self::with_window(source, start, end, Buffer::new())
    }

    /// Creates a reader whose first bytes from `start` are already in `window`.
    pub(super) fn with_window(mut source: S, start: u64, end: u64, window: Buffer) -> io::Result<Self> {
        source.seek(SeekFrom::Start(start.saturating_add(length(&window))))?;
        Ok(Self { source, position: start, end, window, used: 0, needed: 1 })
    }

    /// Shows the recording to `demuxer`, from the current position to the end.
    pub(super) fn run(
        &mut self,
        demuxer: &mut dyn Demuxer,
        sink: &mut dyn PacketSink,
        budget: &mut Budget,
    ) -> Result<Ended, MediaError> {
        loop {
            match self.step(demuxer, sink)? {
                Stepped::By(examined) if !budget.spend(examined) => {
                    return Ok(Ended::OverBudget { left: self.left() });
                }
                Stepped::By(_) => {}
                Stepped::Ended => return Ok(Ended::Whole),
            }
        }
    }

    /// Shows `demuxer` the next window. After an error of the source this can be called again.
    pub(super) fn step(&mut self, demuxer: &mut dyn Demuxer, sink: &mut dyn PacketSink) -> Result<Stepped, MediaError> {
        loop {
            self.fill(self.needed)?;
            let window = self.window.get(self.used..).unwrap_or_default();
            let at_end = length(window) >= self.end.saturating_sub(self.position);
            let shown = length(window);
            match demuxer.step(window, at_end, sink)? {
                Step::Advance(_) if at_end && shown == 0 => return Ok(Stepped::Ended),
                Step::Advance(count) => {
                    self.needed = 1;
                    self.advance(count.max(1))?;
                    return Ok(Stepped::By(count.min(shown)));
                }
                Step::Need(count) if !at_end && length_of(count) > shown && count <= MAX_WINDOW => self.needed = count,
                // A demuxer that breaks its contract stops here, and the bytes that it has not read count as sound.
                Step::Need(_) => {
                    sink.stray(shown);
                    return Ok(Stepped::Ended);
                }
                Step::End => return Ok(Stepped::Ended),
            }
        }
    }

    /// Runs `read` on the source, which may seek, and returns to the current position.
    pub(super) fn aside<T>(&mut self, read: impl FnOnce(&mut S) -> Result<T, MediaError>) -> Result<T, MediaError> {
        let place = self.source.stream_position()?;
        let result = read(&mut self.source);
        self.source.seek(SeekFrom::Start(place))?;
        result
    }

    /// Goes back to the beginning of the source.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(0))?;
        self.window.clear();
        (self.position, self.used, self.needed) = (0, 0, 1);
        Ok(())
    }

    /// Returns the source.
    pub(super) fn into_source(self) -> S {
        self.source
    }

    /// Returns the number of bytes from the start of the window to the end of the recording.
    fn left(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    /// Fills the window with at least `needed` bytes, or with all that are left.
    fn fill(&mut self, needed: usize) -> io::Result<()> {
        while self.window.len() - self.used < needed {
            let held = length(&self.window).saturating_sub(length_of(self.used));
            let left = self.left().saturating_sub(held);
            if left == 0 {
                break;
            }
            // To move much for little room would cost more than the room.
            if self.used >= self.window.len() - self.used {
                self.window.remove_front(self.used);
                self.used = 0;
            }
            let more = needed.saturating_sub(self.window.len() - self.used).max(BLOCK);
            let more = usize::try_from(left).unwrap_or(usize::MAX).min(more);
            let read = self.window.fill(&mut self.source, more)?;
            if read == 0 {
                // The source is shorter than stated.
                self.end = self.position.saturating_add(held);
                break;
            }
        }
        Ok(())
    }

    fn advance(&mut self, count: u64) -> io::Result<()> {
        let count = count.min(self.left());
        self.position += count;
        let held = self.window.len() - self.used;
        match usize::try_from(count) {
            Ok(count) if count <= held => self.used += count,
            _ => {
                self.window.clear();
                self.used = 0;
                self.source.seek(SeekFrom::Start(self.position))?;
            }
        }
        Ok(())
    }
}

fn length(bytes: &[u8]) -> u64 {
    length_of(bytes.len())
}

fn length_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
