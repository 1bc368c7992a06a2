//! The measurement of a whole recording.

use std::io::{Read, Seek};

use super::budget::Budget;
use super::codec::{Codec, TrackParams, Wants, table};
use super::container::Container;
use super::demux::{PacketSink, Timestamp, TrackId, Wav};
use super::error::MediaError;
use super::reader::{Ended, Reader};
use super::tally::Tally;
use super::{caf, detect, mp4};
use crate::domain::{FileFormat, Length};

/// The size in bytes up to which [`inspect_at_once`] measures a recording.
pub const MAX_AT_ONCE: u64 = 64 * 1024;

/// The format, length and size of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaInfo {
    /// The container of the audio.
    pub container: Container,
    /// True if it is MP4 in fragments, as Safari records it.
    pub is_fragmented: bool,
    /// The codec, if it could be read.
    pub codec: Option<Codec>,
    /// The length of the longest audio track.
    pub length: Length,
    /// The size of the whole file.
    pub bytes: u64,
}

impl MediaInfo {
    /// Returns the file format.
    pub fn file_format(&self) -> FileFormat {
        self.container.file_format(self.is_fragmented)
    }
}

/// Returns the format and the length of a recording of `bytes` bytes. Reading starts at its first byte.
///
/// This function blocks: it may read the whole recording and use as much processor time as [`budget`] allows.
pub fn inspect<S>(mut source: S, bytes: u64) -> Result<MediaInfo, MediaError>
where
    S: Read + Seek,
{
    if bytes == 0 {
        return Err(MediaError::Empty);
    }
    let detected = detect::detect(&mut source, bytes)?;
    let container = detected.container;
    let mut budget = Budget::for_bytes(bytes);
    let mut tally = Tally::new(container);
    let mut is_fragmented = false;
    let ended = if let Some(mut demuxer) = detected.demuxer(bytes) {
        let reader = Reader::with_window(&mut source, detected.start, bytes, detected.head);
        reader?.run(demuxer.as_mut(), &mut tally, &mut budget)?
    } else {
        // The walk over the boxes begins with a window of its own.
        drop(detected.head);
        if container == Container::Caf {
            caf::measure(&mut source, bytes, &mut tally, &mut budget)?
        } else {
            let measured = mp4::measure(&mut source, bytes, &mut tally, &mut budget)?;
            is_fragmented = measured.is_fragmented;
            measured.ended
        }
    };
    if let Ended::OverBudget { left } = ended {
        tally.leave_unseen(left, bytes.saturating_sub(left));
    }
    let (codec, length) = tally.conclude()?;
    Ok(MediaInfo { container, is_fragmented, codec, length, bytes })
}

/// Returns the format and the length of a small WAV file of plain PCM, whose bytes are in memory. `None` for any other
/// recording, and for one that [`inspect`] could refuse.
///
/// This function takes some microseconds of arithmetic: it looks over the samples a few times. If they could be another
/// codec, it returns `None` instead of following that codec's frames. So it may run on a thread that serves requests.
pub fn inspect_at_once<S>(mut source: S, bytes: u64) -> Option<MediaInfo>
where
    S: Read + Seek,
{
    if bytes > MAX_AT_ONCE || !detect::begins_as_wav(&mut source).ok()? {
        return None;
    }
    let detected = detect::detect(&mut source, bytes).ok()?;
    let mut demuxer = Wav::new(Some(bytes.saturating_sub(detected.start))).starting_at(detected.start).plain_only();
    let mut tally = Tally::new(detected.container);
    let mut reader = Reader::with_window(&mut source, detected.start, bytes, detected.head).ok()?;
    let mut budget = Budget::for_bytes(bytes);
    match reader.run(&mut demuxer, &mut PlainPcm(&mut tally), &mut budget).ok()? {
        Ended::OverBudget { .. } => return None,
        Ended::Whole => {}
    }
    let (codec, length) = tally.conclude().ok()?;
    Some(MediaInfo { container: detected.container, is_fragmented: false, codec, length, bytes })
}

/// A tally that refuses every track but one of plain PCM, whose length follows from its size.
struct PlainPcm<'a>(&'a mut Tally);

impl PacketSink for PlainPcm<'_> {
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError> {
        if params.codec.as_ref().is_ok_and(|codec| table::PLAIN_PCM.contains(codec)) {
            self.0.track(id, params)
        } else {
            Err(MediaError::NoSound { container: Container::Wav })
        }
    }

    fn begin(&mut self, id: TrackId, size: u64, at: Option<Timestamp>) -> Wants {
        self.0.begin(id, size, at)
    }

    fn bytes(&mut self, id: TrackId, bytes: &[u8]) {
        self.0.bytes(id, bytes);
    }

    fn unseen(&mut self, id: TrackId, count: u64) {
        self.0.unseen(id, count);
    }

    fn end(&mut self, id: TrackId) {
        self.0.end(id);
    }

    fn stray(&mut self, count: u64) {
        self.0.stray(count);
    }

    fn link(&mut self) {
        self.0.link();
    }
}
