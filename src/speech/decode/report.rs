//! The account of a decoding.

use std::time::Duration;

use crate::speech::samples::Samples;

/// The account of what was decoded so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeReport {
    /// The sound that was handed out.
    pub samples: Samples,
    /// The number of packets.
    pub packets: u64,
    /// The number of packets that were damaged.
    pub damaged: u64,
    /// The silence in the place of damaged packets.
    pub bridged: Samples,
    /// The processor time of this thread that decoding took.
    pub processor_time: Duration,
}
