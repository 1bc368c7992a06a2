//! A request to transcribe a recording in pieces.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::stream::{self, LocalBoxStream};

use super::join::Joiner;
use crate::domain::Length;
use crate::models::AttemptLog;
use crate::speech::{CutReport, Cutting, Piece, SpeechError};
use crate::upstream::{AnswerBudget, PieceGroup, ReplyFuture};

/// The pieces of a recording, cut as they are asked for.
pub type PieceStream = LocalBoxStream<'static, Result<Piece, SpeechError>>;

/// A piece to be sent.
pub struct PieceToSend<'a> {
    /// The piece.
    pub piece: &'a Piece,
    /// True if its words are wanted as they are recognised.
    pub streamed: bool,
    /// The transcript before it, if the settings say that its last words go along.
    pub before: Option<&'a str>,
    /// The log of its attempts so far, if it is sent again.
    pub log: Option<&'a AttemptLog>,
}

/// A piece on its way to a provider.
pub struct SendingPiece {
    /// The log of its attempts.
    pub log: AttemptLog,
    /// The reply.
    pub reply: ReplyFuture,
}

/// A recording to be transcribed in pieces, with what that takes.
pub struct SplitRequest {
    /// The pieces.
    pub pieces: PieceStream,
    /// Begins to send a piece.
    pub send: Box<dyn Fn(PieceToSend<'_>) -> SendingPiece>,
    /// The state that the pieces share on their way to providers.
    pub group: PieceGroup,
    /// The joiner of their transcripts.
    pub joiner: Joiner,
    /// The length of the recording: measured, or what its beginning claims until it is measured. A mere bound becomes
    /// the decoded length at the end of the cutting.
    pub length: Rc<Cell<Length>>,
    /// The account of the cutting.
    pub report: Rc<Cell<CutReport>>,
    /// The largest number of pieces at providers at the same time.
    pub at_once: usize,
    /// True if the words of the first piece go to the client as they are recognised.
    pub streams_first: bool,
    /// True if the last words of a piece go with the next one, which then waits for them.
    pub carries_context: bool,
    /// The size of the answers for all pieces together. Those that providers give whole count as they are read.
    pub answers: AnswerBudget,
    /// The largest size of one event, in bytes.
    pub max_event_bytes: usize,
}

impl SplitRequest {
    /// Ends the cutting: no other piece comes.
    pub(super) fn stop_cutting(&mut self) {
        self.pieces = stream::empty().boxed_local();
    }
}

/// Returns the pieces of a recording as a stream, which writes the account of the cutting to `report`, and to `length`
/// the decoded length, at the end, if it has no other than a bound. Dropping it ends the cutting.
pub fn pieces_of(cutting: Cutting, report: Rc<Cell<CutReport>>, length: Rc<Cell<Length>>) -> PieceStream {
    stream::unfold(ReportedCutting { cutting, report, length }, |mut reported| async move {
        let piece = reported.cutting.next_piece().await;
        let progress = reported.cutting.progress();
        reported.report.set(progress);
        if matches!(piece, Ok(None)) && reported.length.get().measured().is_none() {
            reported.length.set(Length::Measured(progress.decoding.samples.audio_ms()));
        }
        Some((piece.transpose()?, reported))
    })
    .boxed_local()
}

/// A cutting whose account is up to date when it ends.
struct ReportedCutting {
    cutting: Cutting,
    report: Rc<Cell<CutReport>>,
    length: Rc<Cell<Length>>,
}

impl Drop for ReportedCutting {
    fn drop(&mut self) {
        self.report.set(self.cutting.progress());
    }
}
