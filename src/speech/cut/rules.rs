//! The lengths of pieces.

use super::frame::FRAME_LENGTH;
use crate::speech::samples::Samples;

/// The longest maximum of a piece. FLAC of 16 kHz mono stays below 25 MiB for this long, whatever it holds.
const MAX_PIECE: Samples = Samples::from_ms(800_000);
/// The distance from the target within which a piece may end.
const WINDOW: Samples = Samples::from_ms(15_000);
/// The length that a cut leaves to the next piece, so that no piece ends with a single word.
const TAIL: Samples = Samples::from_ms(2_000);
/// The silence before and after the voice of a region. Recognisers lose words at the edges without it.
const PADDING: Samples = Samples::from_ms(400);
/// The same around subtitles, which are short, so that edges count for more.
const SUBTITLE_PADDING: Samples = Samples::from_ms(500);
/// The shortest piece of subtitles that a cut ends, and the longest piece of them. Shorter pieces cost a recogniser more
/// time for the same sound, and times within longer ones are poor.
const SUBTITLE_MIN: Samples = Samples::from_ms(10_000);
const SUBTITLE_MAX: Samples = Samples::from_ms(30_000);
/// The shortest and the longest pause that ends a turn.
const MIN_TURN_PAUSE: Samples = Samples::from_ms(150);
const MAX_TURN_PAUSE: Samples = Samples::from_ms(5_000);
/// The shortest maximum of a turn.
const MIN_LONGEST_TURN: Samples = Samples::from_ms(5_000);
/// The window at the end of a turn in which it is cut if it is too long, and what such a cut leaves. Samples wait for a
/// decision as long as both together, so they bound what a live session holds.
const TURN_WINDOW: Samples = Samples::from_ms(3_000);
const TURN_TAIL: Samples = Samples::from_ms(1_000);
/// The shortest file of a turn: providers refuse shorter ones.
const MIN_TURN: Samples = Samples::from_ms(100);
/// The silence that divides a recording into regions, unless it is a live session.
pub(super) const MIN_GAP: Samples = Samples::from_ms(3_000);
/// A length that no recording has.
const ENDLESS: Samples = Samples::new(u64::MAX);

/// The lengths of a piece that a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceLimits {
    min: Samples,
    max: Samples,
}

impl PieceLimits {
    /// Makes limits. `max` is brought between one second and 800 seconds, and `min` to no more than a quarter of it.
    pub fn new(min: Samples, max: Samples) -> Self {
        let max = max.clamp(Samples::from_ms(1_000), MAX_PIECE);
        Self { min: min.min(part(max, 4)), max }
    }

    /// Returns the minimum length.
    pub fn min(self) -> Samples {
        self.min
    }

    /// Returns the maximum length, padding included.
    pub fn max(self) -> Samples {
        self.max
    }
}

/// The rules by which a recording is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutRules {
    /// The minimum length of a piece.
    min: Samples,
    /// The length of a piece from which it may be cut, and up to which it must be.
    earliest: Samples,
    latest: Samples,
    /// The length of what a cut leaves.
    tail: Samples,
    /// The silence kept before and after the voice of a region.
    padding: Samples,
    /// The maximum of silence that a piece keeps before and after a cut.
    cut_padding: Samples,
    /// The silence that divides two regions, and how much of it the one before may keep.
    gap: Samples,
    gap_kept: Samples,
    skips_silence: bool,
    /// The number of pieces from which silence divides the recording only if another length of `piece_each` has passed for
    /// each of them.
    base_pieces: u64,
    piece_each: Samples,
}

impl CutRules {
    /// Returns the rules for pieces of about `target`. The target is brought into what the limits allow.
    pub fn pieces(target: Samples, limits: PieceLimits) -> Self {
        let room = Room::within(limits, PADDING);
        // A piece ends within a quarter of a short target.
        let max_target = room.latest.saturating_sub(WINDOW).max(Samples::new(room.latest.get() / 5 * 4));
        let min_target = Samples::from_ms(500).max(Samples::new(limits.min.get().saturating_mul(2)));
        let target = target.clamp(min_target.min(max_target), max_target);
        let window = WINDOW.min(part(target, 4));
        let (earliest, latest) = (target.saturating_sub(window), target.saturating_add(window));
        Self::between(earliest, latest, room, limits)
    }

    /// Returns the rules for pieces that are subtitles: 10 to 30 seconds, or shorter where the limits want it, with no
    /// more silence at a cut than half a second.
    pub fn subtitles(limits: PieceLimits) -> Self {
        let limits = PieceLimits::new(limits.min, limits.max.min(SUBTITLE_MAX));
        let room = Room::within(limits, SUBTITLE_PADDING);
        let earliest = SUBTITLE_MIN.min(part(limits.max, 3));
        Self { cut_padding: room.padding, ..Self::between(earliest, room.latest, room, limits) }
    }

    /// Returns the rules for pieces as long as the limits allow, for models that number the speakers of each piece anew.
    pub fn as_long_as(limits: PieceLimits) -> Self {
        Self::pieces(limits.max, limits)
    }

    /// Returns the rules for the turns of a live session: a turn ends with a silence of `pause`, which it keeps, and it is
    /// no longer than `longest`. It begins with as much silence, as far as no turn before has it. The pause is brought
    /// between 150 ms and five seconds, and to no more than a quarter of `longest`, which is brought between five and 800
    /// seconds.
    pub fn turns(pause: Samples, longest: Samples) -> Self {
        let longest = longest.clamp(MIN_LONGEST_TURN, MAX_PIECE);
        let pause = pause.clamp(MIN_TURN_PAUSE, MAX_TURN_PAUSE).min(part(longest, 4));
        let tail = TURN_TAIL.min(part(longest, 8)).saturating_add(FRAME_LENGTH);
        let latest = longest.saturating_sub(tail).saturating_sub(pause);
        Self {
            min: MIN_TURN,
            earliest: latest.saturating_sub(TURN_WINDOW.min(part(longest, 4))),
            latest,
            tail,
            padding: pause,
            cut_padding: pause,
            gap: pause,
            gap_kept: pause,
            skips_silence: true,
            base_pieces: u64::MAX,
            piece_each: ENDLESS,
        }
    }

    /// Returns the rules for one piece that holds everything.
    pub fn whole() -> Self {
        Self {
            min: Samples::default(),
            earliest: ENDLESS,
            latest: ENDLESS,
            tail: Samples::default(),
            padding: Samples::default(),
            cut_padding: ENDLESS,
            gap: MIN_GAP,
            gap_kept: part(MIN_GAP, 2),
            skips_silence: false,
            base_pieces: 1,
            piece_each: ENDLESS,
        }
    }

    /// Returns the same rules with a bound on the number of pieces: `base`, and one more for each `each` of the recording.
    /// Silence beyond that divides nothing, and is sent.
    #[must_use]
    pub fn with_max_pieces(self, base: u32, each: Samples) -> Self {
        Self { base_pieces: u64::from(base), piece_each: each, ..self }
    }

    /// Returns the same rules for pieces that follow on each other without a gap, so that all silence is sent.
    #[must_use]
    pub fn with_silence(self) -> Self {
        Self { cut_padding: ENDLESS, skips_silence: false, ..self }
    }

    fn between(earliest: Samples, latest: Samples, room: Room, limits: PieceLimits) -> Self {
        Self {
            min: limits.min,
            earliest,
            latest,
            tail: room.tail,
            padding: room.padding,
            // Half of what a piece must have, so that no piece is silent as a whole.
            cut_padding: room.padding.max(part(earliest, 2)),
            gap: MIN_GAP,
            // The other half is the next region's.
            gap_kept: part(MIN_GAP, 2),
            skips_silence: true,
            base_pieces: u64::MAX,
            piece_each: ENDLESS,
        }
    }

    /// Returns true if silence may end a piece at `position`, after `pieces` others.
    pub(super) fn may_divide(&self, pieces: u64, position: Samples) -> bool {
        let earned = position.get() / self.piece_each.get().max(1);
        // One is left for the piece that the recording ends with.
        pieces.saturating_add(2) <= self.base_pieces.saturating_add(earned)
    }

    /// Returns the minimum length of a piece.
    pub(in crate::speech) fn min(&self) -> Samples {
        self.min
    }

    pub(super) fn earliest(&self) -> Samples {
        self.earliest
    }

    pub(super) fn latest(&self) -> Samples {
        self.latest
    }

    /// Returns the length of a region from which it is cut.
    pub(super) fn cut_from(&self) -> Samples {
        self.latest.saturating_add(self.tail)
    }

    pub(super) fn padding(&self) -> Samples {
        self.padding
    }

    pub(super) fn cut_padding(&self) -> Samples {
        self.cut_padding
    }

    /// Returns the silence that divides two regions.
    pub(super) fn gap(&self) -> Samples {
        self.gap
    }

    /// Returns how much of that silence the region before may keep.
    pub(super) fn gap_kept(&self) -> Samples {
        self.gap_kept
    }

    pub(super) fn skips_silence(&self) -> bool {
        self.skips_silence
    }
}

/// The parts of the longest piece.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// The length up to which a cut may lie, so that a piece that is not cut there, with tail and padding, is not too long.
    latest: Samples,
    tail: Samples,
    padding: Samples,
}

impl Room {
    fn within(limits: PieceLimits, padding: Samples) -> Self {
        let padding = padding.min(part(limits.max, 16));
        // A recording can end within a frame, hence one more.
        let tail = TAIL.min(part(limits.max, 8)).max(limits.min).saturating_add(FRAME_LENGTH);
        Self { latest: limits.max.saturating_sub(tail).saturating_sub(padding), tail, padding }
    }
}

/// Returns the `count`th part of a length.
fn part(whole: Samples, count: u64) -> Samples {
    Samples::new(whole.get() / count.max(1))
}
