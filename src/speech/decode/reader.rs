//! The reader of a recording's sound.

use std::io::{ErrorKind, Read, Seek};

use super::decoding::{Advanced, Decoding, Packets, Undone};
use super::error::{Reason, SoundError};
use super::report::DecodeReport;
use crate::intake::SpoolSource;
use crate::intake::media::{MediaError, MediaInfo, PacketEvent, PacketReader};

/// A recording, decoded in a stream: blocks of 16 kHz mono samples, from first to last.
///
/// It plays the first audio track, as players do, from the first packet to the last: priming and padding are cut off where the
/// container or the codec states them, so a sample's index is its time. Channels are mixed to their mean. Damaged packets are
/// bridged by silence of their length. Memory is bounded, whatever the recording.
pub struct SoundReader<S = SpoolSource> {
    packets: PacketReader<S>,
    info: MediaInfo,
    decoding: Decoding,
}

impl<S: Read + Seek> SoundReader<S> {
    /// Opens the recording in `source`, which intake measured as `info`. Of a recording that is still arriving, `info` is what its
    /// beginning claims; after [`SoundError::NotArrived`] it can be opened once more bytes have come.
    pub fn open(source: S, info: &MediaInfo) -> Result<Self, SoundError> {
        let packets = PacketReader::open(source, info.container, info.bytes)
            .map_err(|error| sound_error(info, media_error(error)))?;
        Ok(Self { packets, info: *info, decoding: Decoding::new(info.length) })
    }

    /// Returns the next block, or `None` at the end. A block has a few thousand samples, rarely more than those of one packet,
    /// or of a bridged gap of ten seconds, and may be empty: then the call has passed over bytes without sound. A call does
    /// little work, whatever the recording. After [`SoundError::NotArrived`] this can be called
    /// again; any other error is final.
    #[expect(clippy::should_implement_trait, reason = "a block borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<&[f32]>, SoundError> {
        let info = self.info;
        self.decoding.next(&mut self.packets).map_err(|undone| sound_error(&info, undone))
    }

    /// Takes the measurement of a recording that was opened by what its beginning claims.
    pub fn measured(&mut self, info: &MediaInfo) -> Result<(), SoundError> {
        self.info = *info;
        self.decoding.measured(info.length).map_err(|why| refused(info, why))
    }

    /// Returns the account of what was decoded so far.
    pub fn report(&self) -> DecodeReport {
        self.decoding.report()
    }
}

impl<S: Read + Seek> Packets for PacketReader<S> {
    fn next(&mut self) -> Option<PacketEvent<'_>> {
        Self::next(self)
    }

    fn advance(&mut self) -> Result<Advanced, Undone> {
        let more = Self::advance(self).map_err(media_error)?;
        Ok(if more || self.has_events() { Advanced::Read } else { Advanced::Ended })
    }
}

fn sound_error(info: &MediaInfo, undone: Undone) -> SoundError {
    match undone {
        Undone::NotArrived => SoundError::NotArrived,
        Undone::Io(error) => SoundError::Io(error),
        Undone::Refused(reason) => refused(info, reason),
    }
}

fn refused(info: &MediaInfo, reason: Reason) -> SoundError {
    let codec = info.codec.map_or("unknown", |codec| codec.name()).to_owned();
    SoundError::NotUnderstood { container: info.container, codec, reason }
}

fn media_error(error: MediaError) -> Undone {
    match error {
        MediaError::Read(error) if error.kind() == ErrorKind::WouldBlock => Undone::NotArrived,
        MediaError::Read(error) => Undone::Io(error),
        other => Undone::Refused(Reason::Container(other)),
    }
}
