//! The file of the piece that is being encoded.

use std::sync::Arc;

use crate::fair_share::ShareKey;
use crate::intake::{BlockingWriter, Spool, SpoolQuota};
use crate::speech::error::SpeechError;
use crate::speech::flac::{FlacEncoder, HEAD};
use crate::speech::samples::Samples;

/// A FLAC file that grows in the spool.
pub(super) struct PieceFile {
    encoder: FlacEncoder,
    writer: BlockingWriter,
    /// The number of samples.
    length: u64,
    /// The bytes that the encoder has given.
    encoded: Vec<u8>,
}

impl PieceFile {
    pub(super) fn new(quota: &Arc<SpoolQuota>, key: ShareKey) -> Result<Self, SpeechError> {
        let writer = BlockingWriter::new(quota, key, HEAD)?;
        Ok(Self { encoder: FlacEncoder::new()?, writer, length: 0, encoded: Vec::new() })
    }

    /// Appends samples.
    pub(super) fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.length = self.length.saturating_add(u64::try_from(samples.len()).unwrap_or(u64::MAX));
        self.encoder.push(samples, &mut self.encoded)?;
        self.write_out()
    }

    /// Ends the file. If it has fewer samples than `min`, zeros follow: the recording had no more silence.
    pub(super) fn finish(mut self, min: Samples) -> Result<Spool, SpeechError> {
        let missing = usize::try_from(min.get().saturating_sub(self.length)).unwrap_or_default();
        if missing > 0 {
            self.push(&vec![0; missing])?;
        }
        let head = self.encoder.finish(&mut self.encoded)?;
        self.writer.append(&self.encoded)?;
        Ok(self.writer.finish(&head)?)
    }

    fn write_out(&mut self) -> Result<(), SpeechError> {
        self.writer.append(&self.encoded)?;
        self.encoded.clear();
        Ok(())
    }
}
