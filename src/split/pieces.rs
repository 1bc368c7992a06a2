//! The pieces of one recording on their way: cut, sent side by side, and joined in the order of time.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use secrecy::SecretString;

use super::error::{Incomplete, TranscriptError};
use super::first::{FirstPiece, FirstPieceStep};
use super::join::{Joined, PiecePlace};
use super::missing::missing;
use super::piece_state::{CutPiece, SentPiece};
use super::progress::Progress;
use super::reading::{AnswerLimits, PieceAnswer, read_answer};
use super::request::{PieceToSend, SplitRequest};
use crate::domain::AudioMs;
use crate::models::AttemptLog;
use crate::speech::{Piece, Samples, Span, SpeechError};
use crate::upstream::{Answer, EventBytes, ReplyFuture, UpstreamError};

/// The pieces of one recording. Dropping them cancels the decoding and every provider's request.
pub(super) struct Pieces {
    request: SplitRequest,
    /// True once the last piece is cut.
    is_cut: bool,
    /// A piece that waits for a place.
    waiting: Option<Piece>,
    in_flight: FuturesUnordered<LocalBoxFuture<'static, Answered>>,
    /// The first piece, while its words come as they are recognised.
    first: Option<FirstPiece>,
    /// The pieces that were heard and are not joined, by number.
    transcribed: BTreeMap<u32, TranscribedPiece>,
    /// The pieces that were cut, in order.
    cut: Vec<CutPiece>,
    /// The number of pieces that are joined.
    joined: usize,
    failure: Option<TranscriptError>,
}

/// A provider's answer for a piece.
struct Answered {
    sent: SentPiece,
    answer: Result<PieceReply, UpstreamError>,
}

enum PieceReply {
    Whole(PieceAnswer),
    Stream { bytes: EventBytes, key: Option<SecretString> },
}

/// A piece that was heard.
struct TranscribedPiece {
    span: Span,
    voice: Vec<Span>,
    log: AttemptLog,
    body: Bytes,
}

impl Pieces {
    pub(super) fn new(request: SplitRequest) -> Self {
        Self {
            request,
            is_cut: false,
            waiting: None,
            in_flight: FuturesUnordered::new(),
            first: None,
            transcribed: BTreeMap::new(),
            cut: Vec::new(),
            joined: 0,
            failure: None,
        }
    }

    /// Works until there is more to send to the client, and returns the data of the events for it; `None` at the end.
    pub(super) async fn advance(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some(events) = self.join_next() {
                return Some(events);
            }
            tokio::select! {
                biased;
                Some(step) = next_step(&mut self.first) => if let Some(events) = self.take_step(step) {
                    return Some(events);
                },
                Some(answered) = self.in_flight.next() => self.take_answer(answered),
                piece = self.request.pieces.next(), if self.may_cut() => self.take_piece(piece),
                else => return None,
            }
        }
    }

    /// Returns the joined transcript, or the reason why it is not whole.
    pub(super) fn finish(mut self) -> Result<Joined, TranscriptError> {
        let Some(failure) = self.failure.take() else {
            let length = self.length();
            return Ok(self.request.joiner.finish(length));
        };
        self.request.joiner.abandon_piece();
        // What is behind the hole is heard too.
        for (number, TranscribedPiece { span, voice, log, body }) in std::mem::take(&mut self.transcribed) {
            let place = PiecePlace { number, last: false, span, voice: &voice };
            if self.request.joiner.add(&place, &body).is_err() {
                log.piece_failed();
                self.mark_failed(number);
            }
        }
        let missing = missing(&self.cut, self.rest_of_recording());
        let partial = self.request.joiner.partial();
        let is_nothing_transcribed = !self.cut.iter().any(|piece| piece.is_transcribed) && partial.text.is_empty();
        if is_nothing_transcribed {
            return Err(failure);
        }
        Err(TranscriptError::Incomplete(Box::new(Incomplete { partial, missing, cause: failure })))
    }

    /// Returns the progress so far.
    pub(super) fn progress(&self) -> Progress {
        let reached = self.joined.checked_sub(1).and_then(|last| self.cut.get(last));
        Progress {
            done: self.cut.iter().filter(|piece| piece.is_transcribed).count(),
            pieces: self.is_cut.then_some(self.cut.len()),
            audio: reached.map_or(Samples::default(), |piece| piece.span.end).audio_ms().min(self.length()),
            total: self.length(),
        }
    }

    /// Returns the length of the recording, as far as it is known.
    fn length(&self) -> AudioMs {
        self.request.length.get().upper_bound()
    }

    /// Returns the rest of the recording, of which nobody knows what is in it; `None` if the recording is cut to its end.
    /// Silence behind the last piece is known as far as it was looked at.
    fn rest_of_recording(&self) -> Option<Span> {
        let cut = self.cut.last().map_or(Samples::default(), |piece| piece.span.end);
        let start = cut.max(self.request.report.get().silent_until);
        let end = Samples::from_ms(self.length().get());
        (!self.is_cut && start < end).then_some(Span { start, end })
    }

    /// Returns true if another piece may be cut: while all places are taken, one piece ahead.
    fn may_cut(&self) -> bool {
        !self.is_cut && self.waiting.is_none() && self.failure.is_none()
    }

    fn take_piece(&mut self, piece: Option<Result<Piece, SpeechError>>) {
        match piece {
            None => self.is_cut = true,
            Some(Err(error)) => self.fail(error.into()),
            Some(Ok(piece)) => {
                self.cut.push(CutPiece { span: piece.span, is_transcribed: false });
                self.waiting = Some(piece);
                self.send_waiting();
            }
        }
    }

    /// Sends the piece that waits, if there is a place for it.
    fn send_waiting(&mut self) {
        let taken = self.in_flight.len() + usize::from(self.first.is_some());
        if taken >= self.request.at_once || self.failure.is_some() {
            return;
        }
        // With the words before it a piece waits for those before it.
        let waits = self.request.carries_context && self.joined + 1 < self.cut.len();
        if !waits && let Some(piece) = self.waiting.take() {
            let streamed = self.request.streams_first && piece.number == 0;
            self.send(piece, streamed, None);
        }
    }

    /// Sends a piece: for the first time, or again with its `log`.
    fn send(&mut self, piece: Piece, streamed: bool, log: Option<&AttemptLog>) {
        // Nothing is before the first piece; what the joiner may have is its own beginning.
        let before = (self.request.carries_context && piece.number > 0).then(|| self.request.joiner.partial().text);
        let to_send = PieceToSend { piece: &piece, streamed, before: before.as_deref(), log };
        let sending = (self.request.send)(to_send);
        let sent = SentPiece { piece, log: sending.log, streamed };
        self.wait_for(sent, sending.reply);
    }

    fn wait_for(&mut self, sent: SentPiece, reply: ReplyFuture) {
        let (answers, max_event_bytes) = (self.request.answers.clone(), self.request.max_event_bytes);
        let (limits, is_json) =
            (AnswerLimits { answers, max_event_bytes }, self.request.joiner.piece_format().is_json());
        let answered = async move {
            let answer = match reply.await.map(|reply| reply.answer) {
                Err(error) => Err(error),
                Ok(Answer::Events { bytes, key }) if sent.streamed => Ok(PieceReply::Stream { bytes, key }),
                Ok(answer) => {
                    let read = read_answer(answer, is_json, &limits).await;
                    // A useless answer is not charged.
                    read.inspect_err(|_| sent.log.piece_failed()).map(PieceReply::Whole)
                }
            };
            Answered { sent, answer }
        };
        self.in_flight.push(answered.boxed_local());
    }

    fn take_answer(&mut self, Answered { sent, answer }: Answered) {
        match answer {
            Ok(PieceReply::Whole(answer)) => self.take_transcript(sent, answer),
            Ok(PieceReply::Stream { bytes, key }) => {
                let SplitRequest { max_event_bytes, answers, .. } = &self.request;
                self.first = Some(FirstPiece::new(sent, bytes, key, *max_event_bytes, answers));
            }
            Err(error) => self.fail(error.into()),
        }
        self.send_waiting();
    }

    fn take_transcript(&mut self, sent: SentPiece, PieceAnswer { body, report }: PieceAnswer) {
        let SentPiece { piece: Piece { number, span, voice, .. }, log, .. } = sent;
        log.piece_transcribed(report);
        self.mark_transcribed(number);
        self.transcribed.insert(number, TranscribedPiece { span, voice, log, body });
    }

    /// Joins the next piece in the order of time, if it was heard.
    fn join_next(&mut self) -> Option<Vec<String>> {
        let number = u32::try_from(self.joined).ok()?;
        // How a speaker is named depends on whether there is a second piece.
        let is_number_known = self.is_cut || self.cut.len() > self.joined + 1;
        if !is_number_known && self.failure.is_none() || self.is_behind_a_hole() {
            return None;
        }
        let TranscribedPiece { span, voice, log, body } = self.transcribed.remove(&number)?;
        let place = PiecePlace { number, last: self.is_last(number), span, voice: &voice };
        match self.request.joiner.add(&place, &body) {
            Ok(added) => {
                self.joined += 1;
                self.send_waiting();
                Some(added.into_events())
            }
            Err(error) => {
                log.piece_failed();
                self.mark_failed(number);
                tracing::warn!(piece = number, %error, "a provider's answer for a piece cannot be joined");
                self.fail(UpstreamError::NoTranscript.into());
                None
            }
        }
    }

    /// Returns true if a piece that was not heard, and will not be, is before the next one to join.
    fn is_behind_a_hole(&self) -> bool {
        self.failure.is_some() && self.cut.get(self.joined).is_some_and(|piece| !piece.is_transcribed)
    }

    fn is_last(&self, number: u32) -> bool {
        self.is_cut && usize::try_from(number).is_ok_and(|number| number + 1 == self.cut.len())
    }

    fn take_step(&mut self, step: FirstPieceStep) -> Option<Vec<String>> {
        let mut first = self.first.take()?;
        match step {
            FirstPieceStep::Delta { text, logprobs } => {
                let more = logprobs.as_ref().map_or(0, |logprobs| logprobs.get().len());
                if let Err(error) = first.count(text.len().saturating_add(more)) {
                    // What the client has of it was heard.
                    first.into_sent().log.piece_failed();
                    self.fail(error.into());
                    return None;
                }
                let event = self.request.joiner.push_delta(&text, logprobs.as_deref());
                if event.is_some() {
                    first.log().piece_delivered();
                }
                self.first = Some(first);
                event.map(|event| vec![event])
            }
            FirstPieceStep::Done { data, report } => {
                let SentPiece { piece, log, .. } = first.into_transcribed();
                let place = PiecePlace { number: piece.number, last: false, span: piece.span, voice: &piece.voice };
                let ended = self.request.joiner.end_streamed(&place, &data);
                let Ok(added) = ended else {
                    log.piece_failed();
                    self.fail(UpstreamError::NoTranscript.into());
                    return None;
                };
                log.piece_transcribed(report);
                self.mark_transcribed(piece.number);
                self.joined += 1;
                self.send_waiting();
                Some(added.into_events())
            }
            FirstPieceStep::Broken(error) => {
                let SentPiece { piece, log, .. } = first.into_sent();
                tracing::warn!(%error, "the stream of the first piece broke off");
                log.piece_failed();
                // After a failure nothing more is sent.
                if self.failure.is_none() {
                    self.send(piece, false, Some(&log));
                }
                None
            }
        }
    }

    /// Returns the largest size of all answers together, in bytes.
    pub(super) fn max_answer_bytes(&self) -> usize {
        self.request.answers.max()
    }

    /// Returns the number of pieces that were cut.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.cut.len()).unwrap_or(u64::MAX)
    }

    /// Returns the length of all pieces that were cut.
    pub(super) fn speech(&self) -> AudioMs {
        let lengths = self.cut.iter().map(|piece| piece.span.length());
        lengths.fold(Samples::default(), Samples::saturating_add).audio_ms()
    }

    fn mark_transcribed(&mut self, number: u32) {
        self.set_transcribed(number, true);
    }

    fn mark_failed(&mut self, number: u32) {
        self.set_transcribed(number, false);
    }

    fn set_transcribed(&mut self, number: u32, is_transcribed: bool) {
        let piece = usize::try_from(number).ok().and_then(|number| self.cut.get_mut(number));
        if let Some(piece) = piece {
            piece.is_transcribed = is_transcribed;
        }
    }

    /// Records the first failure: nothing more is cut or sent, and the pieces at providers are finished.
    fn fail(&mut self, error: TranscriptError) {
        self.failure.get_or_insert(error);
        self.waiting = None;
        self.request.group.end();
        self.request.stop_cutting();
    }
}

/// Returns the next step of the first piece's stream; `None` if there is none.
async fn next_step(first: &mut Option<FirstPiece>) -> Option<FirstPieceStep> {
    Some(first.as_mut()?.next().await)
}

#[cfg(test)]
mod tests;
