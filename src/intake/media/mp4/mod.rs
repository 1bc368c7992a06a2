//! MP4, M4A, MOV and 3GP: the ISO base media family (ISO/IEC 14496-12) and its ancestor `QuickTime`.
//!
//! A file has an index (the movie) with tables that locate its samples, or fragments with a list of samples each, or both.
//! This module reads everything as ffmpeg does, since providers decode with ffmpeg. It refuses a file that can be read in
//! two ways or that hides its length.
//!
//! - `boxes`: the elements of the format
//! - `walk`: walks over the boxes of a file, window by window, and counts fragments on the way
//! - `movie`, `tracks`, `esds`, `track_tables`: read the tracks, the encoding of their sound and the positions of their tables
//! - `fragments`, `pending`: hold lists of samples until the samples arrive
//! - `indexes`: checks indexes of fragments, which may lead a player elsewhere
//! - `tables`, `lists`, `cursor`, `play`: play samples by the movie's tables, which are read in place (`read_buffer`) and never held in
//!   memory
//! - `packets`, `playing`: the packets of one track in order, for decoding
//! - `edits`: parts of a track that an edit list plays again
//! - `error`: the reasons to refuse a file

mod boxes;
mod cursor;
mod edits;
mod error;
mod esds;
mod fragments;
mod indexes;
mod lists;
mod movie;
mod packets;
mod pending;
mod play;
mod playing;
mod read_buffer;
mod tables;
mod track_tables;
mod tracks;
mod walk;

#[cfg(test)]
mod tests;

pub(super) use esds::decoder_setup;
pub(super) use packets::Mp4Packets;
pub(super) use read_buffer::ReadBuffer;
pub(super) use walk::Mp4 as LiveWalk;

use std::io::{Read, Seek};

use super::budget::Budget;
use super::demux::PacketSink;
use super::reader::{Ended, Reader};
use super::{Container, MediaError};
use error::cut_off;
use play::Player;
use walk::{Index, Mp4};

/// The outcome of measuring an MP4 file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) ended: Ended,
    /// True if the file has fragments, as far as it was read.
    pub(super) is_fragmented: bool,
}

/// Measures an MP4 file of `bytes` bytes.
pub(super) fn measure<S>(
    source: &mut S,
    bytes: u64,
    sink: &mut dyn PacketSink,
    budget: &mut Budget,
) -> Result<Measured, MediaError>
where
    S: Read + Seek,
{
    let mut walk = Mp4::default();
    let mut ended = Reader::new(&mut *source, 0, bytes)?.run(&mut walk, sink, budget)?;
    if walk.index() == Index::Missing && ended == Ended::Whole {
        // Some programs mark the index as free by mistake.
        walk = Mp4::even_in_free();
        ended = Reader::new(&mut *source, 0, bytes)?.run(&mut walk, sink, budget)?;
    }
    let is_fragmented = walk.has_fragments();
    let measured = |ended| Ok(Measured { ended, is_fragmented });
    if ended != Ended::Whole {
        return measured(ended);
    }
    if walk.index() == Index::Missing {
        return Err(MediaError::Unfinished { container: Container::Mp4, missing: "its index (moov) is missing" });
    }
    if let Some(segments) = walk.segment_indexes()
        && !indexes::check(source, bytes, segments, budget)?
    {
        return measured(Ended::OverBudget { left: bytes });
    }
    let cut = walk.index() == Index::CutOff;
    let (movie, mut fragments) = walk.into_parts();
    if cut && movie.tracks().is_empty() {
        return Err(cut_off());
    }
    for (place, track) in movie.tracks().iter().enumerate() {
        let left = Player::new(source, bytes, track)?.play(fragments.take_behind(place), sink, budget)?;
        if let Some(left) = left {
            // Any of the tracks not examined may be the longest.
            let last = place + 1 == movie.tracks().len();
            return measured(Ended::OverBudget { left: if last { left } else { bytes } });
        }
    }
    measured(Ended::Whole)
}
