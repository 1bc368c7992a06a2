//! Ogg: packets in pages of logical streams, multiplexed and chained (RFC 3533).
//!
//! A page counts if its checksum is correct; the demuxer skips other pages, as every player does. It never holds comments in
//! memory, however long.
//!
//! - `page`: pages and their checksums
//! - `heads`: the codec of a stream, from its first packets
//! - `streams`: splits pages into packets

mod heads;
mod page;
mod streams;
#[cfg(test)]
mod tests;

use super::super::{Container, MediaError};
use super::{Demuxer, PacketSink, Step};
use page::{CAPTURE, Found, MAX_PAGE};
use streams::{Streams, to_u64};

/// The maximum number of bytes read in apparent pages that are none, in addition to four times the recording. More is not
/// damage but an attack.
const MAX_IN_VAIN: u64 = 1 << 20;

/// A demuxer for Ogg.
#[derive(Clone, Default)]
pub(in super::super) struct Ogg {
    streams: Streams,
    /// The size of the last valid page, if the window still begins with it. A player that finds no other page after it
    /// searches inside it.
    held: usize,
    /// The number of bytes processed; `in_vain` is the number of bytes read in vain.
    done: u64,
    in_vain: u64,
    /// True while the demuxer searches for the next page of a recording that is live.
    is_lost: bool,
}

impl Ogg {
    pub(in super::super) fn new() -> Self {
        Self::default()
    }

    /// Returns the number of bytes held of streams.
    pub(in super::super) fn held(&self) -> usize {
        self.streams.held()
    }

    /// Returns true if the bytes read last belong to no page of a recording that is live.
    pub(in super::super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Reads like [`Demuxer::step`] from a recording that is live: each page as soon as it is there. Pages that a player
    /// would find within others need no search, since what is decoded is what is charged.
    pub(in super::super) fn step_live(
        &mut self,
        window: &[u8],
        at_end: bool,
        sink: &mut dyn PacketSink,
    ) -> Result<Step, MediaError> {
        match page::read(window) {
            Found::Page(page) => {
                self.streams.page(&page, sink)?;
                self.is_lost = false;
                return Ok(self.advance(page.size));
            }
            Found::Short(needed) if !at_end => {
                self.is_lost &= !window.starts_with(CAPTURE);
                return Ok(Step::Need(needed));
            }
            Found::Short(_) => return Ok(Step::End),
            Found::Nothing(read) => self.read_in_vain(read)?,
        }
        self.is_lost = true;
        Ok(self.search(window, 0, at_end))
    }

    /// Goes on to the next page that may be in `window`, behind the first `held` bytes.
    fn search(&mut self, window: &[u8], held: usize, at_end: bool) -> Step {
        let rest = window.get(held..).unwrap_or_default();
        let from = held + if rest.starts_with(CAPTURE) { CAPTURE.len() } else { 0 };
        let behind = window.get(from..).unwrap_or_default();
        // The capture pattern may begin at the end of the window.
        let unseen = if at_end { 0 } else { CAPTURE.len() - 1 };
        let passed = memchr::memmem::find(behind, CAPTURE).unwrap_or(behind.len().saturating_sub(unseen));
        match from + passed {
            0 => Step::Need(window.len() + 1),
            count => self.advance(count),
        }
    }

    fn advance(&mut self, count: usize) -> Step {
        let count = to_u64(count);
        self.done = self.done.saturating_add(count);
        Step::Advance(count)
    }

    /// Counts bytes that were read but belong to no page.
    fn read_in_vain(&mut self, count: usize) -> Result<(), MediaError> {
        self.in_vain = self.in_vain.saturating_add(to_u64(count));
        let allowed = self.done.saturating_mul(4).saturating_add(MAX_IN_VAIN);
        if self.in_vain > allowed { Err(overlapping()) } else { Ok(()) }
    }

    /// Checks that the held page, after which there is no other, contains no page. A player would search it from its fifth
    /// byte.
    fn look_inside(&mut self, window: &[u8]) -> Result<(), MediaError> {
        let held = std::mem::take(&mut self.held);
        for at in memchr::memmem::find_iter(window, CAPTURE).skip_while(|at| *at == 0).take_while(|at| *at < held) {
            match page::read(window.get(at..).unwrap_or_default()) {
                Found::Page(_) => return Err(overlapping()),
                Found::Nothing(read) => self.read_in_vain(read)?,
                Found::Short(_) => {}
            }
        }
        Ok(())
    }
}

fn overlapping() -> MediaError {
    MediaError::Overlapping { container: Container::Ogg }
}

impl Demuxer for Ogg {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let mut rest = window.get(self.held..).unwrap_or_default();
        let mut found = page::read(rest);
        // The window keeps a page until the bytes after it are known.
        while let Found::Page(page) = &found {
            self.streams.page(page, sink)?;
            let held = std::mem::replace(&mut self.held, page.size);
            if held > 0 {
                return Ok(self.advance(held));
            }
            rest = window.get(self.held..).unwrap_or_default();
            found = page::read(rest);
        }
        let ends = at_end && matches!(found, Found::Short(_));
        match found {
            Found::Short(needed) if !at_end => return Ok(Step::Need(self.held + needed)),
            Found::Page(_) | Found::Short(_) => {}
            Found::Nothing(read) => self.read_in_vain(read)?,
        }
        let held = self.held;
        // A page inside the held page could extend beyond it by the size of a page.
        if held > 0 && !ends {
            if rest.len() < MAX_PAGE && !at_end {
                return Ok(Step::Need(held + MAX_PAGE));
            }
            self.look_inside(window)?;
        }
        self.held = 0;
        if window.is_empty() {
            return Ok(Step::End);
        }
        Ok(self.search(window, held, at_end))
    }
}
