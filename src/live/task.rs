//! The task of a session: the only place where a session changes.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::clocks::Clocks;
use super::credit::{Credit, CreditParts, Spent, Throttled};
use super::decoder::{Decoded, Decoder, PieceRequest};
use super::ending::OverOnDrop;
use super::error::{LiveFailure, PieceRefused};
use super::registry::{LiveSessions, SessionSlot};
use super::session::{Command, Commands, LiveSession, PieceOrigin, check_piece};
use super::status::{Phase, Position};
use super::turns::{JoinedTurn, Turns};
use super::work::LiveWork;
use crate::admission::Refusal;
use crate::domain::{AudioMs, Length};
use crate::exchange::Exchange;
use crate::speech::{CutReport, Heard, LiveSoundError, Piece, Samples};
use crate::split::join::TurnJoiner;

/// The largest distance between the audio and its transcript.
pub const MAX_AHEAD: Duration = Duration::from_mins(10);
/// The wait before a piece that came too early is sent again.
pub const AHEAD_WAIT: Duration = Duration::from_secs(1);

/// Opens a session to clients, and starts its task on the worker of this call. `slot` is its place among the open ones.
pub fn start(work: LiveWork, session: &Arc<LiveSession>, commands: Commands, slot: SessionSlot) {
    let (sessions, keep) = (Arc::clone(slot.sessions()), work.settings.keep_events);
    sessions.add(session);
    let session = Arc::clone(session);
    tokio::task::spawn_local(async move {
        let id = session.id().clone();
        Task::new(work, session, commands, Arc::clone(&sessions)).run().await;
        drop(slot);
        sessions.ended(&id);
        sleep(keep).await;
        sessions.forget(&id);
    });
}

/// A session at work.
struct Task {
    over: OverOnDrop,
    sessions: Arc<LiveSessions>,
    commands: Commands,
    exchange: Exchange,
    decoder: Decoder,
    turns: Turns,
    credit: Credit,
    clocks: Clocks,
    position: Position,
    /// Everything before is in a turn, or silence that is not sent.
    decided: Samples,
    max_audio: AudioMs,
    /// The failure that ends the session as soon as the turns at providers are over.
    failure: Option<LiveFailure>,
    report: Rc<Cell<CutReport>>,
}

impl Task {
    fn new(work: LiveWork, session: Arc<LiveSession>, commands: Commands, sessions: Arc<LiveSessions>) -> Self {
        let LiveWork { settings, admission, caller, targets, exchange, held, slice, sound, .. } = work;
        let (charge, text) = (exchange.permit().charge(), work.sender.job.options.text_bytes());
        let report = Rc::new(Cell::new(CutReport::default()));
        exchange.record().cutting(Rc::clone(&report));
        let credit = Credit::new(CreditParts { admission, caller, targets, charge, text, slice, held });
        Self {
            over: OverOnDrop { session, describe: work.describe },
            sessions,
            commands,
            exchange,
            decoder: Decoder::new(sound),
            turns: Turns::new(work.sender, TurnJoiner::new(work.times), work.at_once),
            credit,
            clocks: Clocks::start(settings.idle_timeout, settings.max_time),
            position: Position::default(),
            decided: Samples::default(),
            max_audio: work.max_audio,
            failure: None,
            report,
        }
    }

    /// Works until the session is over.
    async fn run(mut self) {
        let (session, sessions) = (Arc::clone(&self.over.session), Arc::clone(&self.sessions));
        let (deleted, stopping) = (session.deleted(), sessions.stopping());
        tokio::pin!(deleted, stopping);
        let mut is_stopping = false;
        while !self.advance().await {
            let wake = self.wake();
            tokio::select! {
                biased;
                () = &mut deleted => return self.give_up(),
                () = &mut stopping, if !is_stopping => {
                    is_stopping = true;
                    self.end();
                }
                answer = self.credit.answer() => self.take_credit(answer),
                () = self.turns.answer() => {}
                decoded = self.decoder.decoded() => self.take_sound(decoded),
                command = self.commands.0.recv(), if !self.decoder.is_working() => self.take_command(command),
                () = sleep_until(wake) => self.end_if_due(),
            }
        }
        self.finish().await;
    }

    /// Returns the time at which something is due.
    fn wake(&self) -> Instant {
        let credit = self.credit.next_look();
        if self.phase() == Phase::Open { credit.min(self.clocks.end()) } else { credit }
    }

    /// Does all that can be done without waiting. Returns true if the session is over.
    async fn advance(&mut self) -> bool {
        while let Some(joined) = self.turns.join_next() {
            // What follows a turn that could not be written would hide it.
            if matches!(self.failure, Some(LiveFailure::Events(_))) {
                continue;
            }
            if let Err(error) = self.write(joined).await {
                self.turns.drop_waiting();
                self.fail(error);
            }
        }
        let mut spent = self.spent();
        loop {
            let next = self.turns.next_to_send();
            let Some(length) = next else { break };
            let estimate = self.credit.estimate(length);
            if !self.credit.covers(spent, estimate) {
                break;
            }
            self.credit.sent(length);
            self.turns.send_next(estimate);
            spent = Spent { set_aside: self.turns.set_aside(), ..spent };
        }
        let is_over = self.turns.are_over() && !self.decoder.is_working();
        let has_ended = self.failure.is_some() || self.decoder.has_ended();
        if is_over && has_ended {
            return true;
        }
        self.credit.ask_if_needed(spent, self.turns.next_to_send(), Instant::now());
        self.over.session.set_transcribed(self.transcribed().audio_ms());
        false
    }

    fn spent(&mut self) -> Spent {
        Spent { finished: self.exchange.cost_of_finished_pieces(), set_aside: self.turns.set_aside() }
    }

    /// Writes the events of a turn.
    async fn write(&mut self, joined: JoinedTurn) -> Result<(), LiveFailure> {
        let events = &self.over.session.events;
        match joined {
            JoinedTurn::Words(segments) => {
                if !segments.is_empty() {
                    events.push_turn(&segments).await?;
                    self.exchange.delivered();
                }
            }
            JoinedTurn::Failed { span, error } => {
                events.push(&self.over.turn_error(&LiveFailure::Turn(error), span)).await?;
            }
        }
        Ok(())
    }

    fn take_credit(&mut self, answer: Result<(), Arc<Refusal>>) {
        if let Err(refusal) = answer {
            self.turns.drop_waiting();
            let heard = self.turns.first_start().unwrap_or(self.decided).audio_ms();
            self.fail(LiveFailure::NotAdmitted { refusal, heard });
        }
    }

    fn take_command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Audio { seq, piece, origin, reply }) => match self.check(seq, origin) {
                Ok(None) => self.decoder.push(piece, PieceRequest { origin, reply }),
                // The client may have left.
                Ok(Some(position)) => drop(reply.send(Ok(position))),
                Err(refused) => drop(reply.send(Err(refused))),
            },
            Some(Command::End(reply)) => {
                self.end();
                // The client may have left.
                let _ = reply.send(());
            }
            Some(Command::Fail(failure)) => {
                self.decoder.finish();
                self.fail(failure);
            }
            // Every handle is gone, and with them everybody who could read.
            None => self.end(),
        }
    }

    /// Checks a piece. Returns the position if the session has it already.
    fn check(&mut self, seq: u64, origin: PieceOrigin) -> Result<Option<Position>, PieceRefused> {
        let known = check_piece(self.phase(), self.position, seq)?;
        if known.is_some() {
            return Ok(known);
        }
        let max = MAX_AHEAD;
        let is_far_ahead = self.ahead().duration() >= max;
        let throttled = self.credit.throttled().filter(|_| self.turns.is_waiting());
        match (origin, throttled) {
            (PieceOrigin::Stream, _) if is_far_ahead => {
                self.decoder.finish();
                self.fail(LiveFailure::TooFarAhead { max });
                Err(PieceRefused::Ended)
            }
            // A client that waits as it should is not idle.
            (PieceOrigin::Request, _) if is_far_ahead => {
                self.clocks.allow_wait(AHEAD_WAIT);
                Err(PieceRefused::TooFarAhead { max })
            }
            (PieceOrigin::Request, Some(Throttled { refusal, wait })) => {
                self.clocks.allow_wait(wait);
                Err(PieceRefused::NotAdmitted(refusal))
            }
            _ => Ok(None),
        }
    }

    /// Returns the length of the audio that waits to be transcribed.
    fn ahead(&self) -> AudioMs {
        let audio = Samples::from_ms(self.position.audio.get());
        audio.saturating_sub(self.transcribed()).audio_ms()
    }

    /// Returns the position up to which the audio is transcribed, or known to be silence.
    fn transcribed(&self) -> Samples {
        self.turns.first_start().unwrap_or(self.decided)
    }

    fn take_sound(&mut self, Decoded { heard, request, report, media }: Decoded) {
        let is_end = request.is_none();
        let is_stream = request.as_ref().is_some_and(|request| request.origin == PieceOrigin::Stream);
        self.report.set(report);
        self.exchange.record().sound(media);
        let answer = match heard {
            Ok(Heard { turns, audio, decided }) => {
                self.take_turns(turns, decided);
                let next_seq = self.position.next_seq.saturating_add(u64::from(!is_end));
                if audio.audio_ms() > self.position.audio {
                    self.clocks.heard();
                }
                self.position = Position { next_seq, audio: audio.audio_ms() };
                self.over.session.set_position(self.position);
                Ok(self.position)
            }
            Err(error @ LiveSoundError::Busy(_)) => Err(PieceRefused::Sound(error)),
            // The client of a request sends other bytes; that of a stream cannot.
            Err(error @ LiveSoundError::NotAudio { .. }) if !is_stream => Err(PieceRefused::Sound(error)),
            Err(error) => {
                // What was heard before is transcribed.
                if !is_end {
                    self.decoder.finish();
                }
                self.fail(LiveFailure::Sound(error));
                Err(PieceRefused::Ended)
            }
        };
        if let Some(PieceRequest { reply, .. }) = request {
            // The client may have left: it asks again, and learns that the piece was taken.
            let _ = reply.send(answer);
        }
        if self.position.audio >= self.max_audio {
            self.end();
        }
    }

    fn take_turns(&mut self, turns: Vec<Piece>, decided: Samples) {
        let are_wanted = match &self.failure {
            None | Some(LiveFailure::Sound(_) | LiveFailure::TooFarAhead { .. } | LiveFailure::NoRoom) => true,
            Some(_) => false,
        };
        if are_wanted {
            self.turns.add(turns);
        }
        self.decided = decided;
    }

    fn end_if_due(&mut self) {
        if self.phase() == Phase::Open
            && self.clocks.is_due(self.over.session.is_receiving() || self.decoder.is_working())
        {
            self.end();
        }
    }

    /// Takes no more audio, and transcribes the rest.
    fn end(&mut self) {
        if self.phase() != Phase::Open {
            return;
        }
        self.over.session.set_phase(Phase::Ending);
        self.decoder.finish();
    }

    /// Takes no more audio, and ends the session with this error once the turns that were taken are over.
    fn fail(&mut self, failure: LiveFailure) {
        self.over.session.set_phase(Phase::Ending);
        self.failure.get_or_insert(failure);
    }

    fn phase(&self) -> Phase {
        self.over.session.status().phase
    }

    /// Ends the session because its caller has given it up. What providers have of it is charged.
    fn give_up(mut self) {
        self.turns.give_up();
        self.over.fail(&LiveFailure::Deleted);
        self.settle();
    }

    /// Settles the permit.
    fn settle(mut self) {
        let audio = self.position.audio;
        self.exchange.measured(Length::Measured(audio), 0);
        self.exchange.record().audio(audio);
        self.exchange.finish_stream();
    }

    /// Writes the last events, and settles the permit.
    async fn finish(mut self) {
        let session = Arc::clone(&self.over.session);
        session.set_transcribed(self.transcribed().audio_ms());
        let failure = match self.failure.take() {
            // Turns may have come since the refusal.
            Some(LiveFailure::NotAdmitted { refusal, heard }) => {
                let heard = heard.max(session.status().transcribed);
                Some(LiveFailure::NotAdmitted { refusal, heard })
            }
            Some(failure) => Some(failure),
            None => {
                let usage = self.turns.usage();
                let finished = session.events.finish(usage.as_deref(), self.position.audio).await;
                finished.err().map(LiveFailure::from)
            }
        };
        match failure {
            None => {
                self.exchange.completed();
                self.over.end();
            }
            Some(failure) => {
                self.exchange.failed();
                self.over.fail(&failure);
            }
        }
        self.settle();
    }
}
