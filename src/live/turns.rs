//! The turns of a session: sent side by side, and joined in the order of time.

use std::collections::{BTreeMap, VecDeque};

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use super::turn_sender::{TurnAnswer, TurnSender};
use crate::domain::AudioMs;
use crate::ledger::Charge;
use crate::speech::{Piece, Samples, Span};
use crate::split::PieceAnswer;
use crate::split::join::{PiecePlace, TurnJoiner, TurnSegment};
use crate::telemetry::metrics::{LIVE_TURNS, Label};
use crate::upstream::UpstreamError;

/// The outcomes of turns in the metrics.
const TRANSCRIBED: &str = "transcribed";
const FAILED: &str = "failed";

/// Counts zero turns of each outcome, so that the first one is seen to be more.
pub(super) fn count_none() {
    for outcome in [TRANSCRIBED, FAILED] {
        LIVE_TURNS.add([Label::fixed(outcome)], 0);
    }
}

/// The turns of a session that are not over. Dropping them cancels the requests to providers.
pub(super) struct Turns {
    sender: TurnSender,
    joiner: TurnJoiner,
    /// The largest number of turns that are at providers at the same time.
    at_once: usize,
    /// The turns that wait for a place, or for the caller's limits.
    waiting: VecDeque<Piece>,
    in_flight: FuturesUnordered<LocalBoxFuture<'static, TurnAnswer>>,
    /// The turns that are answered and wait for those before them, by number.
    answered: BTreeMap<u32, TurnAnswer>,
    /// The number of the next turn to join.
    next: u32,
    /// The charges that were set aside for the turns that are not joined.
    set_aside: Charge,
    /// The starts of the turns that are not joined, in order.
    starts: VecDeque<Samples>,
}

/// A turn that is over.
pub(super) enum JoinedTurn {
    /// Its words.
    Words(Vec<TurnSegment>),
    /// No provider has transcribed it.
    Failed { span: Span, error: UpstreamError },
}

impl Turns {
    pub(super) fn new(sender: TurnSender, joiner: TurnJoiner, at_once: usize) -> Self {
        Self {
            sender,
            joiner,
            at_once,
            waiting: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            answered: BTreeMap::new(),
            next: 0,
            set_aside: Charge::NONE,
            starts: VecDeque::new(),
        }
    }

    /// Adds turns that are complete.
    pub(super) fn add(&mut self, turns: Vec<Piece>) {
        self.starts.extend(turns.iter().map(|turn| turn.span.start));
        self.waiting.extend(turns);
    }

    /// Returns the length of the next turn to send, if there is a place for it.
    pub(super) fn next_to_send(&self) -> Option<AudioMs> {
        let turn = self.waiting.front().filter(|_| self.in_flight.len() < self.at_once)?;
        Some(turn.span.length().audio_ms())
    }

    /// Returns true if a turn waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends the next turn, for which `estimate` is set aside.
    pub(super) fn send_next(&mut self, estimate: Charge) {
        if let Some(turn) = self.waiting.pop_front() {
            self.set_aside = self.set_aside.plus(estimate);
            self.in_flight.push(self.sender.send(turn, estimate));
        }
    }

    /// Waits for the answer of any turn. Never ends while no turn is at a provider.
    pub(super) async fn answer(&mut self) {
        match self.in_flight.next().await {
            Some(answer) => {
                match &answer.answer {
                    Ok(PieceAnswer { report, .. }) => answer.log.piece_transcribed(*report),
                    Err(error) if !matches!(error, UpstreamError::Timeout) => answer.log.piece_failed(),
                    // A provider that has the whole turn may have done the work.
                    Err(_) => {}
                }
                self.answered.insert(answer.turn.number, answer);
            }
            None => std::future::pending().await,
        }
    }

    /// Joins the next turn in the order of time, if it is over.
    pub(super) fn join_next(&mut self) -> Option<JoinedTurn> {
        let TurnAnswer { turn, answer, log, estimate } = self.answered.remove(&self.next)?;
        // With the end of its log the turn costs what it costs.
        self.set_aside = self.set_aside.minus(estimate);
        self.next = self.next.saturating_add(1);
        self.starts.pop_front();
        let place = PiecePlace { number: turn.number, last: false, span: turn.span, voice: &turn.voice };
        let joined = answer.and_then(|answer| {
            self.joiner.add(&place, &answer.body).map_err(|error| {
                tracing::warn!(turn = turn.number, %error, "a provider's answer for a turn cannot be joined");
                log.piece_failed();
                UpstreamError::NoTranscript
            })
        });
        LIVE_TURNS.add([Label::fixed(if joined.is_ok() { TRANSCRIBED } else { FAILED })], 1);
        Some(match joined {
            Ok(segments) => JoinedTurn::Words(segments),
            Err(error) => JoinedTurn::Failed { span: turn.span, error },
        })
    }

    /// Gives up the turns that were not sent.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Gives up all turns, and cancels the requests to providers.
    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
        self.answered.clear();
        self.in_flight.clear();
    }

    /// Returns true if every turn is over and joined.
    pub(super) fn are_over(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.answered.is_empty()
    }

    /// Returns the charges that are set aside for the turns that were sent and are not joined.
    pub(super) fn set_aside(&self) -> Charge {
        self.set_aside
    }

    /// Returns the start of the first turn that is not joined; `None` if all are.
    pub(super) fn first_start(&self) -> Option<Samples> {
        self.starts.front().copied()
    }

    /// Returns the value of `usage` so far.
    pub(super) fn usage(&self) -> Option<String> {
        self.joiner.usage()
    }
}
