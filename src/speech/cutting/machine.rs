//! The work of cutting one recording, which a thread of the pool continues turn by turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::form::PieceForm;
use super::measurement::LateMeasurement;
use super::pieces::Pieces;
use super::report::CutReport;
use crate::domain::thread_time;
use crate::intake::media::MediaInfo;
use crate::intake::{Spool, SpoolRoom};
use crate::speech::cut::CutRules;
use crate::speech::decode::{DecodeReport, SoundError, SoundReader};
use crate::speech::encoding::Encoding;
use crate::speech::error::SpeechError;
use crate::speech::piece::Piece;
use crate::speech::pool::Turn;
use crate::speech::samples::Samples;

/// The input of the work.
pub(super) struct Order {
    pub(super) audio: Spool,
    pub(super) info: MediaInfo,
    /// The measurement to come, if `info` is only what the recording's beginning claims.
    pub(super) late: Option<LateMeasurement>,
    /// The longest sound that may be decoded if the recording was not measured, but has a mere bound of its length.
    pub(super) max: Option<Samples>,
    /// The position up to which silence was left out, as soon as it was.
    pub(super) silent_until: Arc<AtomicU64>,
    /// The flag that is set when nobody waits for the pieces.
    pub(super) cancelled: Arc<AtomicBool>,
}

/// The state of the work between two turns.
pub(super) struct Machine {
    order: Order,
    sound: Sound,
    pieces: Pieces,
    /// True if the recording seems to end before it is measured.
    is_at_unmeasured_end: bool,
    decoding: DecodeReport,
    pub(super) processor_time: Duration,
}

/// The source of the samples.
enum Sound {
    Unopened,
    Open(Box<SoundReader>),
    Ended,
}

/// The result of some turns.
pub(super) enum Outcome {
    /// A piece is complete.
    Piece(Piece),
    /// The recording has no more pieces.
    End,
    /// The recording is still arriving, and more than its first `readable` bytes are needed.
    NotArrived { readable: u64 },
}

impl Machine {
    /// Prepares the work; its pieces take their bytes from `room`.
    pub(super) fn new(order: Order, room: SpoolRoom, rules: CutRules, encoding: Encoding) -> Self {
        let form = PieceForm { encoding, is_fast: false, is_small: false };
        Self {
            order,
            sound: Sound::Unopened,
            pieces: Pieces::new(room, form, rules),
            is_at_unmeasured_end: false,
            decoding: DecodeReport::default(),
            processor_time: Duration::ZERO,
        }
    }

    /// Returns the account of what was done.
    pub(super) fn report(&self) -> CutReport {
        CutReport { decoding: self.decoding, processor_time: self.processor_time, ..self.pieces.report() }
    }

    /// Waits with the end of the recording, and what it has beyond its claimed length, until it is measured.
    pub(super) fn measured_later(&mut self, measurement: LateMeasurement) {
        self.order.late = Some(measurement);
    }

    /// Sets the longest sound of a recording that was not measured.
    pub(super) fn set_max(&mut self, max: Samples) {
        self.order.max = Some(max);
    }

    /// Works for one turn. Returns `None` if it is over before there is a result.
    pub(super) fn turn(&mut self, turn: &Turn) -> Option<Result<Outcome, SpeechError>> {
        let began = thread_time();
        let outcome = self.work(turn).transpose();
        self.processor_time += thread_time().saturating_sub(began);
        let (length, allowed) = (self.order.info.length.upper_bound(), self.allowed());
        let is_spent = self.processor_time > allowed;
        outcome.or_else(|| is_spent.then_some(Err(SpeechError::TooExpensive { length, allowed })))
    }

    /// Returns the number of samples that wait for a decision.
    #[cfg(test)]
    pub(super) fn held_samples(&self) -> u64 {
        self.pieces.held_samples()
    }

    /// Returns the processor time that the recording may take: a twentieth of its length, and a second.
    fn allowed(&self) -> Duration {
        self.order.info.length.upper_bound().duration() / 20 + Duration::from_secs(1)
    }

    fn work(&mut self, turn: &Turn) -> Result<Option<Outcome>, SpeechError> {
        loop {
            if self.order.cancelled.load(Ordering::Relaxed) {
                return Err(SpeechError::BrokeOff);
            }
            if let Some(piece) = self.carry_out()? {
                return Ok(Some(Outcome::Piece(piece)));
            }
            if !self.pieces.is_busy() {
                if matches!(self.sound, Sound::Ended) {
                    return Ok(Some(Outcome::End));
                }
                if self.waits_for_measurement().map_err(SpeechError::Sound)? {
                    // The last byte is held back until the recording is measured.
                    let readable = self.order.audio.length().saturating_sub(1);
                    return Ok(Some(Outcome::NotArrived { readable }));
                }
                let readable = self.order.audio.readable();
                match self.decode() {
                    Err(SoundError::NotArrived) => return Ok(Some(Outcome::NotArrived { readable })),
                    Err(SoundError::Io(error)) => return Err(SpeechError::Io(error)),
                    decoded => decoded.map_err(SpeechError::Sound)?,
                }
                self.check_length()?;
            }
            if turn.is_over() {
                return Ok(None);
            }
        }
    }

    /// Refuses a recording that turns out to be longer than it may be. One that was measured was checked before.
    fn check_length(&self) -> Result<(), SpeechError> {
        let is_measured = self.order.info.length.measured().is_some();
        match self.order.max.filter(|max| !is_measured && self.pieces.length() > *max) {
            Some(max) => Err(SpeechError::TooLong { max: max.audio_ms() }),
            None => Ok(()),
        }
    }

    /// Takes the measurement over once it is there. Returns true if nothing can be done before.
    fn waits_for_measurement(&mut self) -> Result<bool, SoundError> {
        let Some(late) = &self.order.late else { return Ok(false) };
        let Some(info) = late.get() else {
            let claimed = Samples::from_ms(self.order.info.length.upper_bound().get());
            return Ok(self.is_at_unmeasured_end || self.pieces.length() >= claimed);
        };
        (self.order.info, self.order.late, self.is_at_unmeasured_end) = (info, None, false);
        match &mut self.sound {
            Sound::Open(reader) => reader.measured(&info).map(|()| false),
            Sound::Unopened | Sound::Ended => Ok(false),
        }
    }

    /// Carries out what the cutter has decided.
    fn carry_out(&mut self) -> Result<Option<Piece>, SpeechError> {
        let piece = self.pieces.carry_out();
        self.order.silent_until.store(self.pieces.report().silent_until.get(), Ordering::Relaxed);
        piece
    }

    /// Decodes the next block, and looks for voice in it.
    fn decode(&mut self) -> Result<(), SoundError> {
        let reader = match &mut self.sound {
            Sound::Open(reader) => reader,
            Sound::Ended => return Ok(()),
            Sound::Unopened => {
                let source = self.order.audio.source_arriving(&self.order.cancelled);
                self.sound = Sound::Open(Box::new(SoundReader::open(source, &self.order.info)?));
                return Ok(());
            }
        };
        let block = reader.next()?;
        let is_end = block.is_none();
        if is_end && self.order.late.is_some() {
            self.is_at_unmeasured_end = true;
            return Ok(());
        }
        self.pieces.push(block.unwrap_or_default());
        self.decoding = reader.report();
        if is_end {
            self.sound = Sound::Ended;
            self.pieces.end();
        }
        Ok(())
    }
}
