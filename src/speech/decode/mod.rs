//! Decoding: a recording becomes blocks of 16 kHz mono samples.
//!
//! The demuxers of [`media`](crate::intake::media), which measured the recording, find its packets, so what was measured is
//! what is decoded.
//!
//! - `reader`: [`SoundReader`], which hands out the blocks
//! - `error`, `report`: what went wrong, and what was done

mod error;
mod reader;
mod report;

pub use error::{Reason, SoundError};
pub use reader::SoundReader;
pub use report::DecodeReport;
