//! The pieces that a model takes of a recording that it does not take as it is.

use super::way::Way;
use crate::config::{Model, Speech};
use crate::domain::terms::Format;
use crate::domain::{AudioMs, FileFormat};

/// The longest piece. Some models are worse at more than this, and it fits OpenAI's 25 MiB in every encoding.
pub(super) const MAX_PIECE: AudioMs = AudioMs::new(800_000);
/// The shortest maximum with which a recording can be cut.
const MIN_PIECE: AudioMs = AudioMs::new(1_000);
/// The shortest piece where the model takes shorter ones: a fallback may not, and nothing is said in less.
const MIN_LENGTH: AudioMs = AudioMs::new(500);
/// The distance between the target and the longest piece, in which there is room to search for a pause.
const ROOM: AudioMs = AudioMs::new(30_000);
/// The shortest piece for subtitles that a cut ends, the length that they have about, and the longest.
const MIN_SUBTITLE: AudioMs = AudioMs::new(10_000);
const TARGET_SUBTITLE: AudioMs = AudioMs::new(20_000);
const MAX_SUBTITLE: AudioMs = AudioMs::new(30_000);
/// The largest size of a second: 16000 samples of 16 bits, and 1 % for what a file has around them. FLAC needs that much
/// for noise only.
pub(super) const MAX_BYTES_PER_SECOND: u64 = 32_320;

/// The number of pieces that a recording of any length may be divided into by long silence.
const MIN_PIECES: u32 = 3;
/// The part of the target that pieces have at least, on average, however much silence divides the recording.
const AVERAGE_PART: u64 = 10;

/// The bound on the number of pieces, which the estimate relies on: a recording of single words with long silence between
/// them would otherwise have any number, each with its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPieces {
    /// The number for a recording of any length.
    pub base: u32,
    /// The length for each of which there may be another piece.
    pub each: AudioMs,
}

/// The plan for the pieces of one recording, which hold for every model that may serve one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PiecePlan {
    /// The shortest piece that the models take.
    pub min: AudioMs,
    /// The length that pieces have about.
    pub target: AudioMs,
    /// The longest piece, with the silence around its voice.
    pub max: AudioMs,
    /// The file format of the pieces: FLAC, or WAV for a model that does not take FLAC.
    pub encoding: FileFormat,
}

impl PiecePlan {
    /// Returns the plan for pieces that go to `model`; `None` if it takes no pieces.
    pub(super) fn for_model(model: &Model, way: Way, format: Format, speech: &Speech) -> Option<Self> {
        let longest = longest_piece(model);
        let encoding = [FileFormat::Flac, FileFormat::Wav].into_iter().find(|format| takes(model, *format))?;
        let min = model.min_audio.unwrap_or_default().max(MIN_LENGTH);
        if longest < MIN_PIECE || min > longest {
            return None;
        }
        let (target, max) = match way {
            Way::Split(_) if way.times_by_pieces() => (TARGET_SUBTITLE, MAX_SUBTITLE),
            // The names of speakers hold for one piece, so there are as few pieces as possible.
            Way::Split(_) if format == Format::DiarizedJson => (longest, longest),
            Way::Split(_) => (speech.piece, speech.piece.saturating_add(ROOM)),
            Way::AsIs | Way::Convert(_) => (longest, longest),
        };
        Some(Self { min, target: target.min(longest), max: max.min(longest), encoding })
    }

    /// Returns true if `model` takes every piece of this plan.
    pub(super) fn suits(&self, model: &Model) -> bool {
        let min = model.min_audio.unwrap_or_default();
        takes(model, self.encoding) && self.max <= longest_piece(model) && min <= self.min
    }

    /// Returns the bound on the number of pieces.
    pub fn max_pieces(&self, way: Way) -> MaxPieces {
        let each = match way {
            Way::AsIs | Way::Convert(_) => return MaxPieces { base: 1, each: AudioMs::new(u64::MAX) },
            Way::Split(_) if way.times_by_pieces() => self.target.get().min(MIN_SUBTITLE.get()),
            Way::Split(_) => self.target.get() / AVERAGE_PART,
        };
        MaxPieces { base: MIN_PIECES, each: AudioMs::new(each.max(1000)) }
    }

    /// Returns the highest number of pieces of a recording of this length, for an estimate.
    pub fn count(&self, way: Way, length: AudioMs) -> u32 {
        let MaxPieces { base, each } = self.max_pieces(way);
        if matches!(way, Way::AsIs | Way::Convert(_)) {
            return base;
        }
        u32::try_from(length.get() / each.get()).unwrap_or(u32::MAX).saturating_add(base)
    }
}

/// Returns the longest piece that `model` takes.
pub(super) fn longest_piece(model: &Model) -> AudioMs {
    let by_size = model.max_bytes.map(|bytes| {
        let ms = u128::from(bytes) * 1000 / u128::from(MAX_BYTES_PER_SECOND);
        AudioMs::new(u64::try_from(ms).unwrap_or(u64::MAX))
    });
    [model.max_audio, by_size].into_iter().flatten().fold(MAX_PIECE, AudioMs::min)
}

/// Returns true if `model` takes files of this format.
pub(super) fn takes(model: &Model, format: FileFormat) -> bool {
    model.accepts.as_ref().is_none_or(|accepted| accepted.contains(&format))
}
