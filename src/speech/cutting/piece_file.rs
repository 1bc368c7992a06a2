//! The file of the piece that is being encoded.

#[cfg(test)]
mod tests;

use super::form::PieceForm;
use crate::intake::{BlockingWriter, Spool, SpoolRoom};
use crate::speech::encoding::Encoding;
use crate::speech::error::SpeechError;
use crate::speech::flac::{self, FlacEncoder};
use crate::speech::samples::Samples;
use crate::speech::wav;

/// The file of a piece, which grows in the spool.
pub(super) struct PieceFile {
    encoder: Encoder,
    writer: BlockingWriter,
    /// The number of samples.
    length: u64,
    /// The bytes that the encoder has given.
    encoded: Vec<u8>,
}

/// The encoder of samples.
enum Encoder {
    Flac(Box<FlacEncoder>),
    Wav,
}

impl PieceFile {
    pub(super) fn new(room: &SpoolRoom, form: PieceForm) -> Result<Self, SpeechError> {
        let (encoder, head) = match form.encoding {
            Encoding::Flac => (Encoder::Flac(Box::new(FlacEncoder::new(form.is_fast)?)), flac::HEAD),
            Encoding::Wav => (Encoder::Wav, wav::HEAD),
        };
        let writer = BlockingWriter::new(room, head);
        let writer = if form.is_small { writer.small() } else { writer };
        Ok(Self { encoder, writer, length: 0, encoded: Vec::new() })
    }

    /// Appends samples.
    pub(super) fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.length = self.length.saturating_add(u64::try_from(samples.len()).unwrap_or(u64::MAX));
        match &mut self.encoder {
            Encoder::Flac(encoder) => encoder.push(samples, &mut self.encoded)?,
            Encoder::Wav => wav::push(samples, &mut self.encoded),
        }
        self.write_out()
    }

    /// Ends the file. If it has fewer samples than `min`, zeros follow: the recording had no more silence.
    pub(super) fn finish(mut self, min: Samples) -> Result<Spool, SpeechError> {
        let missing = usize::try_from(min.get().saturating_sub(self.length)).unwrap_or_default();
        if missing > 0 {
            self.push(&vec![0; missing])?;
        }
        let head = match self.encoder {
            Encoder::Flac(encoder) => encoder.finish(&mut self.encoded)?,
            Encoder::Wav => wav::head(self.length),
        };
        self.writer.append(&self.encoded)?;
        Ok(self.writer.finish(&head)?)
    }

    /// Gives back the memory that nothing needs until more samples come.
    pub(super) fn trim(&mut self) {
        self.encoded = Vec::new();
        if let Encoder::Flac(encoder) = &mut self.encoder {
            encoder.trim();
        }
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        let encoder = match &self.encoder {
            Encoder::Flac(encoder) => encoder.held_bytes(),
            Encoder::Wav => 0,
        };
        self.writer.held_bytes() + self.encoded.capacity() + encoder
    }

    fn write_out(&mut self) -> Result<(), SpeechError> {
        self.writer.append(&self.encoded)?;
        self.encoded.clear();
        Ok(())
    }
}
