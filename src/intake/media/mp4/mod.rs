//! MP4, M4A, MOV and 3GP: the ISO base media family (ISO/IEC 14496-12) and `QuickTime`, of which it came.
//!
//! A file has an index, the movie, whose tables say where its samples are, or fragments, each with its own list, or both.
//! Everything is read as ffmpeg reads it, since that is what plays the sound; where a file can be read in two ways, or hides
//! how long it is, it is refused.
//!
//! - `boxes`: what the format is made of
//! - `walk`: through a file's boxes, window by window; fragments are counted on the way
//! - `movie`, `tracks`, `esds`: which tracks there are, what their sound is, and where their tables stand
//! - `fragments`, `pending`: lists of samples before the samples
//! - `indexes`: of fragments, which may lead elsewhere
//! - `tables`, `cursor`, `play`: samples by the movie's tables, which are read where they stand and never held
//! - `edits`: parts of a track that are played again

mod boxes;
mod cursor;
mod edits;
mod esds;
mod fragments;
mod indexes;
mod movie;
mod pending;
mod play;
mod tables;
mod tracks;
mod walk;

#[cfg(test)]
mod tests;

use std::io::{Read, Seek};

use super::budget::Budget;
use super::demux::PacketSink;
use super::reader::{Ended, Reader};
use super::{Container, MediaError};
use play::Player;
use walk::{Index, Mp4};

const MP4: Container = Container::Mp4;

/// Counts what an MP4 of `bytes` bytes plays.
pub(super) fn measure<S>(
    source: &mut S,
    bytes: u64,
    sink: &mut dyn PacketSink,
    budget: &mut Budget,
) -> Result<Ended, MediaError>
where
    S: Read + Seek,
{
    let mut walk = Mp4::default();
    let mut ended = Reader::new(&mut *source, 0, bytes)?.run(&mut walk, sink, budget)?;
    if walk.index() == Index::Missing && ended == Ended::Whole {
        // Some programs mark it as free by mistake.
        walk = Mp4::even_in_free();
        ended = Reader::new(&mut *source, 0, bytes)?.run(&mut walk, sink, budget)?;
    }
    if ended != Ended::Whole {
        return Ok(ended);
    }
    if walk.index() == Index::Missing {
        return Err(MediaError::Unfinished { container: MP4, missing: "its index (moov) is missing" });
    }
    if let Some(segments) = walk.segment_indexes()
        && !indexes::check(source, bytes, segments, budget)?
    {
        return Ok(Ended::OverBudget { left: bytes });
    }
    let cut = walk.index() == Index::CutOff;
    let (movie, mut fragments) = walk.into_parts();
    if cut && movie.tracks().is_empty() {
        return Err(cut_off());
    }
    for (place, track) in movie.tracks().iter().enumerate() {
        let left = Player::new(source, bytes, track)?.play(fragments.take_behind(place), sink, budget)?;
        if let Some(left) = left {
            // Of the tracks that nobody looked at any may be the longest.
            let last = place + 1 == movie.tracks().len();
            return Ok(Ended::OverBudget { left: if last { left } else { bytes } });
        }
    }
    Ok(Ended::Whole)
}

fn cut_off() -> MediaError {
    MediaError::Unfinished { container: MP4, missing: "its index (moov) is cut off" }
}

fn feature(what: &'static str) -> MediaError {
    MediaError::Feature { container: MP4, what }
}

/// Some players read on behind the end of such a box.
fn too_short() -> MediaError {
    feature("has a box that is too short for what it holds")
}
