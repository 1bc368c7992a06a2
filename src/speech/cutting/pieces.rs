//! Samples to pieces: looks for voice, cuts, and encodes.

use super::form::PieceForm;
use super::held::HeldSamples;
use super::piece_file::PieceFile;
use super::report::CutReport;
use crate::intake::SpoolRoom;
use crate::speech::cut::{CutRules, Cutter, Decision, PieceFacts};
use crate::speech::error::SpeechError;
use crate::speech::piece::Piece;
use crate::speech::samples::Samples;
use crate::speech::voice::VoiceDetector;

/// The samples that are encoded between two looks at the clock.
const STEP: usize = 32 * 1024;

/// The cutting of samples into pieces.
pub(in crate::speech) struct Pieces {
    room: SpoolRoom,
    form: PieceForm,
    /// The minimum length of a piece.
    min: Samples,
    /// `None` once the sound has ended.
    voice: Option<VoiceDetector>,
    cutter: Cutter,
    held: HeldSamples,
    /// The decision that is being carried out.
    decision: Option<Decision>,
    /// The piece that is being encoded, and its first sample.
    piece: Option<(Samples, PieceFile)>,
    /// The samples of the last block.
    block: Vec<i16>,
    report: CutReport,
}

impl Pieces {
    /// Cuts by `rules`. The pieces take their bytes from `room`.
    pub(in crate::speech) fn new(room: SpoolRoom, form: PieceForm, rules: CutRules) -> Self {
        Self {
            room,
            form,
            min: rules.min(),
            voice: Some(VoiceDetector::new()),
            cutter: Cutter::new(rules),
            held: HeldSamples::default(),
            decision: None,
            piece: None,
            block: Vec::new(),
            report: CutReport::default(),
        }
    }

    /// Takes the next samples.
    pub(in crate::speech) fn push(&mut self, samples: &[f32]) {
        let Some(voice) = &mut self.voice else { return };
        self.block.clear();
        self.block.extend(samples.iter().map(|&sample| to_i16(sample)));
        self.held.push(&self.block);
        self.cutter.arrived(self.held.end());
        voice.push(&self.block, |frame| self.cutter.push(frame));
    }

    /// Ends the sound. Returns true if it had ended before.
    pub(in crate::speech) fn end(&mut self) -> bool {
        let Some(voice) = self.voice.take() else { return true };
        voice.finish(|frame| self.cutter.push(frame));
        self.cutter.finish(self.held.end());
        false
    }

    /// Carries out the decisions of the cutter, up to [`STEP`] samples of a piece or its end. More may be left if
    /// [`Pieces::is_busy`].
    pub(in crate::speech) fn carry_out(&mut self) -> Result<Option<Piece>, SpeechError> {
        while let Some(decision) = self.decision.take().or_else(|| self.cutter.next_decision()) {
            match decision {
                Decision::Skip { until } => {
                    let skipped = until.saturating_sub(self.held.start());
                    self.report.skipped = self.report.skipped.saturating_add(skipped);
                    self.report.silent_until = until;
                    self.held.forget_until(until);
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

    /// Returns true if a decision is only carried out in part.
    pub(in crate::speech) fn is_busy(&self) -> bool {
        self.decision.is_some()
    }

    /// Returns the number of samples so far.
    pub(in crate::speech) fn length(&self) -> Samples {
        self.held.end()
    }

    /// Returns the position before which everything is in a complete piece, or silence that is in none.
    pub(in crate::speech) fn decided(&self) -> Samples {
        self.piece.as_ref().map_or(self.held.start(), |(start, _)| *start)
    }

    /// Returns the account of the cutting, without the times and the decoding.
    pub(in crate::speech) fn report(&self) -> CutReport {
        self.report
    }

    /// Gives back the memory that nothing needs until more samples come.
    pub(in crate::speech) fn trim(&mut self) {
        self.held.trim();
        self.cutter.trim();
        self.block = Vec::new();
        if let Some((_, piece)) = &mut self.piece {
            piece.trim();
        }
    }

    /// Returns the number of samples that wait for a decision.
    #[cfg(test)]
    pub(in crate::speech) fn held_samples(&self) -> u64 {
        self.held.end().saturating_sub(self.held.start()).get()
    }

    /// Returns the number of bytes in memory, without the detector.
    #[cfg(test)]
    pub(in crate::speech) fn held_bytes(&self) -> usize {
        let piece = self.piece.as_ref().map_or(0, |(_, piece)| piece.held_bytes());
        self.held.held_bytes() + self.block.capacity() * 2 + self.cutter.held_bytes() + piece
    }

    /// Encodes up to [`STEP`] of the samples before `until`.
    fn encode(&mut self, until: Samples) -> Result<(), SpeechError> {
        let (_, piece) = match &mut self.piece {
            Some(piece) => piece,
            none => none.insert((self.held.start(), PieceFile::new(&self.room, self.form)?)),
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
        let Some((_, piece)) = self.piece.take() else { return Ok(None) };
        let audio = piece.finish(self.min)?;
        let number = self.report.pieces;
        self.report.pieces += 1;
        self.report.sent = self.report.sent.saturating_add(span.length());
        self.report.speech =
            voice.iter().fold(self.report.speech, |speech, voice| speech.saturating_add(voice.length()));
        Ok(Some(Piece { number, span, voice, encoding: self.form.encoding, audio }))
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
