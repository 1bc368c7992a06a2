//! A recording that no model takes whole: its pieces are sent one beside the other, and their transcripts joined.
//!
//! - [`Transcript`]: the answer to a request, be it one provider's or a joined one; [`TranscriptError`]: why there is none

mod error;
mod transcript;

pub use error::TranscriptError;
pub use transcript::{Transcript, TranscriptBody, TranscriptEvents};
