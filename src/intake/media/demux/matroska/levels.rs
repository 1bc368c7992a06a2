//! The start and the end of files, segments and tracks.

use super::context::Context;
use super::demuxer::Matroska;
use super::ebml::{Head, id};
use super::state::{Level, MAX_ENTRIES, Moved, feature, own_id};
use super::watch::to_u64;
use crate::intake::media::demux::{MAX_TRACKS, PacketSink};
use crate::intake::media::{Container, MediaError};

/// The maximum depth of elements.
const MAX_DEPTH: usize = 16;

impl Matroska {
    /// Returns true if `head` begins a file or a segment: between two segments, or where a segment of unknown size may end.
    pub(super) fn begins_file(&self, head: Head) -> bool {
        match self.levels.last() {
            None => matches!(head.id, id::EBML | id::SEGMENT),
            Some(level) => head.id == id::SEGMENT && level.end.is_none() && level.context.is_outer(),
        }
    }

    /// Begins the EBML header of a file or a segment.
    pub(super) fn file(
        &mut self,
        head: Head,
        length: usize,
        window: &[u8],
        sink: &mut dyn PacketSink,
    ) -> Result<Moved, MediaError> {
        if self.levels.len() >= MAX_DEPTH {
            return self.lose(sink);
        }
        let joined = self.files > 0;
        if joined {
            self.doubts.lose();
            // A demuxer that skips unknown elements by their size skips this one too and continues after it.
            self.doubts.has_diverged |= !self.levels.is_empty();
        }
        if head.size.is_none() {
            while !self.levels.is_empty() {
                self.close(sink)?;
            }
        }
        self.aligned(head, length, window, true)?;
        self.known_id = None;
        let content = self.at.saturating_add(to_u64(length));
        if head.id == id::SEGMENT {
            if joined {
                if self.first.is_empty() {
                    self.first = std::mem::take(&mut self.tracks);
                }
                self.tracks.clear();
                self.first_used = vec![false; self.first.len()];
                (self.has_cluster, self.scale) = (false, 1_000_000);
                sink.link();
            }
            self.files = self.files.saturating_add(1);
            self.seek_heads.segment(content, self.files == 1);
        }
        let end = head.size.map(|size| content.saturating_add(size));
        self.levels.push(Level { context: Context::from_id(head.id), end });
        Ok(Moved::By(length))
    }

    /// Closes the innermost element.
    pub(super) fn close(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        match self.levels.pop().map(|level| level.context) {
            Some(Context::TrackEntry) => self.close_entry(sink),
            Some(Context::Seek) => {
                self.seek_heads.end();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Ends the description of the current track, and hands the track to `sink` if it is audio.
    fn close_entry(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        let Some(entry) = self.entry.take() else { return Ok(()) };
        self.doubts.is_fragile |= entry.is_fragile();
        let track = entry.finish(Container::Webm)?;
        // Players play the first track of a number.
        if self
            .tracks
            .iter()
            .any(|known| known.number == track.number && (known.audio.is_some() || track.audio.is_none()))
        {
            return Ok(());
        }
        if let Some(audio) = &track.audio {
            if self.has_early_cluster {
                return Err(feature("describes its tracks after its sound"));
            }
            let id = own_id(self.tracks.len());
            sink.track(id, &audio.params)?;
            if audio.delay > 0 {
                sink.delay(id, audio.delay);
            }
        }
        if self.tracks.len() >= MAX_ENTRIES {
            return Err(MediaError::TooManyTracks { container: Container::Webm, allowed: MAX_TRACKS });
        }
        self.tracks.push(track);
        Ok(())
    }
}
