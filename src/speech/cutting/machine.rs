//! The work of cutting one recording, which a thread of the pool continues turn by turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::held::HeldSamples;
use super::measurement::LateMeasurement;
use super::piece_file::PieceFile;
use super::report::CutReport;
use crate::domain::thread_time;
use crate::intake::media::MediaInfo;
use crate::intake::{Spool, SpoolRoom};
use crate::speech::cut::{CutRules, Cutter, Decision, PieceFacts};
use crate::speech::decode::{SoundError, SoundReader};
use crate::speech::encoding::Encoding;
use crate::speech::error::SpeechError;
use crate::speech::piece::Piece;
use crate::speech::pool::Turn;
use crate::speech::samples::Samples;
use crate::speech::voice::VoiceDetector;

/// The samples that are encoded between two looks at the clock.
const STEP: usize = 32 * 1024;

/// The input of the work.
pub(super) struct Order {
    pub(super) room: SpoolRoom,
    pub(super) audio: Spool,
    pub(super) info: MediaInfo,
    pub(super) rules: CutRules,
    pub(super) encoding: Encoding,
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
    cutter: Cutter,
    held: HeldSamples,
    /// The decision that is being carried out.
    decision: Option<Decision>,
    piece: Option<PieceFile>,
    /// True if the recording seems to end before it is measured.
    is_at_unmeasured_end: bool,
    /// The samples of the last block.
    block: Vec<i16>,
    pub(super) report: CutReport,
}

/// The source of the samples.
enum Sound {
    Unopened,
    Open(Box<SoundReader>, VoiceDetector),
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
    pub(super) fn new(order: Order) -> Self {
        Self {
            cutter: Cutter::new(order.rules),
            order,
            sound: Sound::Unopened,
            held: HeldSamples::default(),
            decision: None,
            piece: None,
            is_at_unmeasured_end: false,
            block: Vec::new(),
            report: CutReport::default(),
        }
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
        self.report.processor_time += thread_time().saturating_sub(began);
        let (length, allowed) = (self.order.info.length.upper_bound(), self.allowed());
        let is_spent = self.report.processor_time > allowed;
        outcome.or_else(|| is_spent.then_some(Err(SpeechError::TooExpensive { length, allowed })))
    }

    /// Returns the number of samples that wait for a decision.
    #[cfg(test)]
    pub(super) fn held_samples(&self) -> u64 {
        self.held.end().saturating_sub(self.held.start()).get()
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
            if self.decision.is_none() {
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
        match self.order.max.filter(|max| !is_measured && self.held.end() > *max) {
            Some(max) => Err(SpeechError::TooLong { max: max.audio_ms() }),
            None => Ok(()),
        }
    }

    /// Takes the measurement over once it is there. Returns true if nothing can be done before.
    fn waits_for_measurement(&mut self) -> Result<bool, SoundError> {
        let Some(late) = &self.order.late else { return Ok(false) };
        let Some(info) = late.get() else {
            let claimed = Samples::from_ms(self.order.info.length.upper_bound().get());
            return Ok(self.is_at_unmeasured_end || self.held.end() >= claimed);
        };
        (self.order.info, self.order.late, self.is_at_unmeasured_end) = (info, None, false);
        match &mut self.sound {
            Sound::Open(reader, _) => reader.measured(&info).map(|()| false),
            Sound::Unopened | Sound::Ended => Ok(false),
        }
    }

    /// Carries out the decisions of the cutter, up to [`STEP`] samples of a piece or its end.
    fn carry_out(&mut self) -> Result<Option<Piece>, SpeechError> {
        while let Some(decision) = self.decision.take().or_else(|| self.cutter.next_decision()) {
            match decision {
                Decision::Skip { until } => {
                    let skipped = until.saturating_sub(self.held.start());
                    self.report.skipped = self.report.skipped.saturating_add(skipped);
                    self.held.forget_until(until);
                    self.order.silent_until.store(until.get(), Ordering::Relaxed);
                }
                Decision::Send { until } => {
                    self.encode(until)?;
                    if self.held.start() < until {
                        self.decision = Some(Decision::Send { until });
                        return Ok(None);
                    }
                }
                Decision::End(facts) => return self.finish_piece(facts),
            }
        }
        Ok(None)
    }

    /// Encodes up to [`STEP`] of the samples before `until`.
    fn encode(&mut self, until: Samples) -> Result<(), SpeechError> {
        let piece = match &mut self.piece {
            Some(piece) => piece,
            none => none.insert(PieceFile::new(&self.order.room, self.order.encoding)?),
        };
        let mut left = STEP;
        while left > 0 {
            let samples = self.held.first(until, left);
            if samples.is_empty() {
                break;
            }
            let count = samples.len();
            piece.push(samples)?;
            self.held.forget(count);
            left -= count;
        }
        Ok(())
    }

    fn finish_piece(&mut self, PieceFacts { span, voice }: PieceFacts) -> Result<Option<Piece>, SpeechError> {
        let Some(piece) = self.piece.take() else { return Ok(None) };
        let audio = piece.finish(self.order.rules.min())?;
        let number = self.report.pieces;
        self.report.pieces += 1;
        self.report.sent = self.report.sent.saturating_add(span.length());
        self.report.speech =
            voice.iter().fold(self.report.speech, |speech, voice| speech.saturating_add(voice.length()));
        Ok(Some(Piece { number, span, voice, encoding: self.order.encoding, audio }))
    }

    /// Decodes the next block, and looks for voice in it.
    fn decode(&mut self) -> Result<(), SoundError> {
        let (reader, voice) = match &mut self.sound {
            Sound::Open(reader, voice) => (reader, voice),
            Sound::Ended => return Ok(()),
            Sound::Unopened => {
                let source = self.order.audio.source_arriving(&self.order.cancelled);
                let reader = SoundReader::open(source, &self.order.info)?;
                self.sound = Sound::Open(Box::new(reader), VoiceDetector::new());
                return Ok(());
            }
        };
        let block = reader.next()?;
        let is_end = block.is_none();
        if is_end && self.order.late.is_some() {
            self.is_at_unmeasured_end = true;
            return Ok(());
        }
        self.block.clear();
        self.block.extend(block.unwrap_or_default().iter().map(|&sample| to_i16(sample)));
        self.report.decoding = reader.report();
        self.held.push(&self.block);
        voice.push(&self.block, |frame| self.cutter.push(frame));
        if is_end && let Sound::Open(_, voice) = std::mem::replace(&mut self.sound, Sound::Ended) {
            voice.finish(|frame| self.cutter.push(frame));
            self.cutter.finish(self.held.end());
        }
        Ok(())
    }
}

/// Returns the nearest sample of 16 bits. What is beyond the scale is clipped.
#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the conversion goes to the nearest bound, and from NaN to zero"
)]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}
