//! The account of how a recording was cut.

use std::time::Duration;

use crate::speech::decode::DecodeReport;
use crate::speech::samples::Samples;

/// The account of how a recording was cut so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CutReport {
    /// The account of the decoding.
    pub decoding: DecodeReport,
    /// The number of complete pieces.
    pub pieces: u32,
    /// The length of these pieces.
    pub sent: Samples,
    /// The voice in these pieces.
    pub speech: Samples,
    /// The silence that is in no piece.
    pub skipped: Samples,
    /// The position up to which everything behind the last complete piece is silence that is in no piece; zero if
    /// nothing behind it was decided yet.
    pub silent_until: Samples,
    /// The processor time that all of it took: decoding, cutting and encoding.
    pub processor_time: Duration,
}
