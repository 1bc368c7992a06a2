//! FLAC: samples to a file of 16 kHz, mono, 16 bit, block by block.

#[cfg(test)]
mod tests;

use flacenc::bitsink::MemSink;
use flacenc::component::{BitRepr, StreamInfo};
use flacenc::config;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::samples::Samples;

/// The number of samples in a block. A block of 1152 makes the file 2 % smaller, and costs a quarter more time.
const BLOCK: usize = 4096;
/// The number of bytes before the first frame: the marker, and the block with the facts of the stream.
pub(super) const HEAD: usize = 42;

/// A failure of the encoder, which is a defect of it or of this module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the FLAC encoder failed: {0}")]
pub struct FlacError(String);

/// An encoder of one file. Its bytes are, in this order: [`HEAD`] bytes that [`FlacEncoder::finish`] returns at the end,
/// and the frames.
pub(super) struct FlacEncoder {
    config: Verified<config::Encoder>,
    info: StreamInfo,
    /// The block that is encoded; `None` while none is complete.
    block: Option<FrameBuf>,
    /// The sums of all samples.
    context: Context,
    frame: MemSink<u8>,
    /// The samples of the block that is not complete.
    partial: Vec<i16>,
}

impl FlacEncoder {
    /// Creates an encoder. One that is `fast` takes two fifths of the time, and makes the file 2 % larger.
    pub(super) fn new(fast: bool) -> Result<Self, FlacError> {
        let rate = usize::try_from(Samples::RATE).unwrap_or_default();
        let mut config = config::Encoder::default();
        config.subframe_coding.use_lpc = !fast;
        let config = config.into_verified().map_err(|(_, error)| failure(error))?;
        Ok(Self {
            config,
            info: StreamInfo::new(rate, 1, 16).map_err(failure)?,
            block: None,
            context: Context::new(16, 1),
            frame: MemSink::new(),
            partial: Vec::new(),
        })
    }

    /// Encodes the next samples, and adds the bytes of the frames that they complete to `out`.
    pub(super) fn push(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Result<(), FlacError> {
        let mut rest = samples;
        while !rest.is_empty() {
            let (some, after) = rest.split_at(rest.len().min(BLOCK - self.partial.len()));
            self.partial.extend_from_slice(some);
            rest = after;
            if self.partial.len() == BLOCK {
                self.encode_block(out)?;
            }
        }
        Ok(())
    }

    /// Ends the file: adds the last frame to `out`, and returns the head.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<Vec<u8>, FlacError> {
        if !self.partial.is_empty() {
            self.encode_block(out)?;
        }
        // The last block counts for neither bound.
        self.info.set_block_sizes(BLOCK, BLOCK).map_err(failure)?;
        self.info.set_md5_digest(&self.context.md5_digest());
        let mut head = MemSink::<u8>::with_capacity(HEAD * 8);
        self.info.write(&mut head).map_err(failure)?;
        // The marker, and the head of the only block of metadata: the last one, of type 0, 34 bytes.
        Ok([b"fLaC\x80\x00\x00\x22", head.as_slice()].concat())
    }

    /// Gives back the memory that nothing needs until more samples come.
    pub(super) fn trim(&mut self) {
        self.block = None;
        self.frame = MemSink::new();
        self.partial.shrink_to_fit();
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.partial.capacity() * size_of::<i16>()
    }

    fn encode_block(&mut self, out: &mut Vec<u8>) -> Result<(), FlacError> {
        let samples: Vec<_> = self.partial.iter().map(|&sample| i32::from(sample)).collect();
        self.partial.clear();
        let block = match &mut self.block {
            Some(block) => block,
            none => none.insert(FrameBuf::with_size(1, BLOCK).map_err(failure)?),
        };
        block.fill_interleaved(&samples).map_err(failure)?;
        self.context.fill_interleaved(&samples).map_err(failure)?;
        let number = self.context.current_frame_number().unwrap_or_default();
        let frame = encode_fixed_size_frame(&self.config, &*block, number, &self.info).map_err(failure)?;
        self.info.update_frame_info(&frame);
        self.frame.clear();
        frame.write(&mut self.frame).map_err(failure)?;
        out.extend_from_slice(self.frame.as_slice());
        Ok(())
    }
}

fn failure(error: impl std::fmt::Display) -> FlacError {
    FlacError(error.to_string())
}
