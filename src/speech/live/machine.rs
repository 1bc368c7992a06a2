//! The work on the sound of one session, which a thread of the pool continues turn by turn.

use std::time::Duration;

use super::error::LiveSoundError;
use super::format::LiveFormat;
use super::heard::Heard;
use super::trial::{Trial, Tried, read_chunk};
use crate::domain::{AudioMs, thread_time};
use crate::intake::media::{Codec, Container, LiveMediaError};
use crate::intake::{Spool, SpoolSource};
use crate::speech::cutting::{CutReport, Pieces};
use crate::speech::decode::{LiveBlock, LiveReader, Reason};
use crate::speech::piece::Piece;
use crate::speech::pool::Turn;
use crate::speech::samples::Samples;

/// The number of pieces in a row that are refused since they do not continue the recording, before they are taken as
/// damage: if wrong bytes were taken for the inside of a packet, the right ones behind them must not be refused for ever.
const MAX_REFUSED: u32 = 8;
/// The processor time that a session may take beyond a twentieth of its sound, and for each of its pieces: the request
/// that brings one costs as much.
const BASE_TIME: Duration = Duration::from_secs(1);
const TIME_PER_PIECE: Duration = Duration::from_micros(200);

/// The state of the work between two turns, and between two pieces.
pub(super) struct Machine {
    format: LiveFormat,
    max: AudioMs,
    reader: LiveReader,
    pieces: Pieces,
    task: Option<Task>,
    /// The turns that ended and were not handed out.
    turns: Vec<Piece>,
    chunk: Vec<u8>,
    /// The number of pieces refused in a row.
    refused: u32,
    /// The number of pieces.
    count: u32,
    /// True if the sound takes no more pieces.
    is_over: bool,
    processor_time: Duration,
}

/// The work on one piece.
enum Task {
    Try { trial: Box<Trial>, piece: Spool },
    Take(SpoolSource),
    End,
}

impl Machine {
    pub(super) fn new(format: LiveFormat, pieces: Pieces, max: AudioMs) -> Self {
        Self {
            format,
            max,
            reader: LiveReader::new(format.packets(), max),
            pieces,
            task: None,
            turns: Vec::new(),
            chunk: Vec::new(),
            refused: 0,
            count: 0,
            is_over: false,
            processor_time: Duration::ZERO,
        }
    }

    /// Begins the work on `piece`, or on the end.
    pub(super) fn begin(&mut self, piece: Option<Spool>) -> Result<(), LiveSoundError> {
        if self.task.is_some() || self.is_over && piece.is_some() {
            return Err(LiveSoundError::BrokeOff);
        }
        self.task = Some(match (piece, self.format) {
            (None, _) => {
                self.reader.end();
                Task::End
            }
            // Any bytes are samples.
            (Some(piece), LiveFormat::Pcm16 { .. }) => Task::Take(piece.source()),
            (Some(piece), LiveFormat::Auto) => {
                Task::Try { trial: Box::new(Trial::new(&piece, self.reader.packets())), piece }
            }
        });
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Gives up the work that was begun and has done nothing.
    pub(super) fn give_up(&mut self) {
        self.task = None;
    }

    /// Returns the account of what was done.
    pub(super) fn report(&self) -> CutReport {
        let decoding = self.reader.report();
        CutReport { decoding, processor_time: self.processor_time, ..self.pieces.report() }
    }

    /// Returns the container and the codec, once the container is known.
    pub(super) fn media(&self) -> Option<(Container, Option<Codec>)> {
        self.reader.media()
    }

    /// Returns what was not handed out.
    pub(super) fn heard(&mut self) -> Heard {
        let turns = std::mem::take(&mut self.turns);
        Heard { turns, audio: self.pieces.length(), decided: self.pieces.decided() }
    }

    /// Returns the number of bytes in memory, without the decoder and the detector.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.pieces.held_bytes() + self.reader.packets().held() + self.chunk.capacity()
    }

    /// Works for one turn. Returns `None` if it is over before the piece is.
    pub(super) fn turn(&mut self, turn: &Turn) -> Option<Result<Heard, LiveSoundError>> {
        let began = thread_time();
        let done = self.work(turn);
        self.processor_time += thread_time().saturating_sub(began);
        let result = match done {
            Ok(false) if self.processor_time <= self.allowed() => return None,
            Ok(true) => Ok(()),
            Ok(false) => Err(LiveSoundError::Unusable {
                reason: "the sound takes more processor time than sound of its length may".to_owned(),
            }),
            Err(error) => Err(error),
        };
        let is_end = matches!(self.task.take(), Some(Task::End));
        self.is_over |= is_end || !matches!(result, Ok(()) | Err(LiveSoundError::NotAudio { .. }));
        self.trim();
        Some(result.map(|()| self.heard()))
    }

    /// Returns the processor time that the session may take for what was heard of it so far.
    fn allowed(&self) -> Duration {
        let heard = self.pieces.length().audio_ms().duration();
        heard / 20 + BASE_TIME + TIME_PER_PIECE.saturating_mul(self.count)
    }

    fn trim(&mut self) {
        self.reader.trim();
        self.pieces.trim();
        self.chunk = Vec::new();
    }

    /// Works until the turn is over. Returns true once the piece is done with.
    fn work(&mut self, turn: &Turn) -> Result<bool, LiveSoundError> {
        loop {
            let is_done = match &mut self.task {
                Some(Task::Try { trial, piece }) => {
                    let piece = piece.clone();
                    let tried = trial.step(&mut self.chunk).map_err(LiveSoundError::Io)?;
                    self.tried(tried, &piece)?;
                    false
                }
                Some(Task::Take(_) | Task::End) => self.take()?,
                None => true,
            };
            if is_done || turn.is_over() {
                return Ok(is_done);
            }
        }
    }

    /// Goes on after a step of a trial.
    fn tried(&mut self, tried: Tried, piece: &Spool) -> Result<(), LiveSoundError> {
        match tried {
            Tried::Further => return Ok(()),
            Tried::Passed => self.refused = 0,
            // It stays so until a piece continues the recording.
            Tried::Failed(LiveMediaError::NoContinuation { .. }) if self.refused >= MAX_REFUSED => {}
            Tried::Failed(error) => {
                self.refused = self.refused.saturating_add(1);
                return Err(LiveSoundError::NotAudio { reason: error.to_string() });
            }
        }
        self.task = Some(Task::Take(piece.source()));
        Ok(())
    }

    /// Carries out what is decided, or decodes the next block. Returns true once all of the piece is decoded and decided.
    fn take(&mut self) -> Result<bool, LiveSoundError> {
        if let Some(turn) = self.pieces.carry_out()? {
            self.turns.push(turn);
            return Ok(false);
        }
        if self.pieces.is_busy() {
            return Ok(false);
        }
        if self.is_over {
            return Ok(self.pieces.end());
        }
        match self.reader.next() {
            Ok(LiveBlock::Samples(samples)) => self.pieces.push(samples),
            Ok(LiveBlock::Ended) => return Ok(self.pieces.end()),
            Ok(LiveBlock::Starved) => {
                let Some(Task::Take(source)) = &mut self.task else { return Ok(self.pieces.end()) };
                read_chunk(source, &mut self.chunk).map_err(LiveSoundError::Io)?;
                self.reader.push(&self.chunk);
                return Ok(self.chunk.is_empty());
            }
            Err(reason) => return Err(self.undecoded(&reason)),
        }
        if self.pieces.length() > Samples::from_ms(self.max.get()) {
            let reason = format!("the sound is longer than the {} seconds that are allowed", self.max);
            return Err(LiveSoundError::Unusable { reason });
        }
        Ok(false)
    }

    /// Returns the error for sound that cannot be decoded. While nothing was heard, the recording begins anew.
    fn undecoded(&mut self, reason: &Reason) -> LiveSoundError {
        let what = match self.reader.media() {
            Some((container, codec)) => {
                let codec = codec.map_or("unknown", |codec| codec.name());
                format!("the {container} recording's audio ({codec})")
            }
            None => "the audio".to_owned(),
        };
        let reason = format!("{what} cannot be decoded: {reason}");
        if self.pieces.length() > Samples::default() {
            return LiveSoundError::Unusable { reason };
        }
        self.reader = LiveReader::new(self.format.packets(), self.max);
        LiveSoundError::NotAudio { reason }
    }
}
