//! A recording that no model takes whole: its pieces are sent one beside the other, and their transcripts joined.
//!
//! - [`Transcript`]: the answer to a request, be it one provider's or a joined one; [`TranscriptError`]: why there is none
//! - [`transcribe`]: a [`SplitRequest`] becomes a transcript. `pieces` cuts, sends and joins; `first` is the piece whose
//!   words are passed on as they come; `reading` reads an answer; `piece_job` is what a provider gets; `missing` says what was not heard; `progress` says how
//!   far it is
//! - [`join`]: the joiner of transcripts

mod error;
mod first;
pub mod join;
mod missing;
mod piece_job;
mod piece_state;
mod pieces;
mod progress;
mod reading;
mod request;
mod transcribe;
mod transcript;

pub use error::{Incomplete, NotDivided, TranscriptError};
pub use piece_job::job_of_piece;
pub use reading::{AnswerLimits, PieceAnswer, read_answer};
pub use request::{PieceStream, PieceToSend, SendingPiece, SplitRequest, pieces_of};
pub use transcribe::{PIECES_HEADER, SPEECH_HEADER, transcribe};
pub use transcript::{Transcript, TranscriptBody, TranscriptEvents};
