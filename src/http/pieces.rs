//! The way of an admitted job whose recording goes to providers in pieces.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::piece_deadlines::{PieceDeadlines, UploadTime};
use super::state::AppState;
use crate::config::Settings;
use crate::domain::terms::Format;
use crate::domain::{AudioMs, FileFormat, Length};
use crate::exchange::Record;
use crate::fair_share::{Refused, Room, ShareKey};
use crate::intake::media::MediaInfo;
use crate::intake::{Job, Options, SpoolRoom};
use crate::models::{Attempts, MaxPieces, PiecePlan, PiecesInSpool, TargetChain, Way};
use crate::relay::TranscriptFuture;
use crate::speech::{CutReport, CutRules, Cutting, Encoding, LateMeasurement, PieceLimits, Samples};
use crate::split::join::{JoinRequest, Joiner, Times};
use crate::split::{self, PieceToSend, SendingPiece, SplitRequest};
use crate::telemetry::traces::{Step, Trace};
use crate::upstream::{AnswerBudget, ForwardRequest, PieceGroup, Portion, Providers, SendJob};

/// The number of characters of the transcript that go with the next piece, if the settings say that any do: a sentence
/// or two.
const MAX_CONTEXT_CHARS: usize = 200;

/// The size and the length from which a recording that its provider refuses as too long is split.
const MIN_BYTES_TO_SPLIT: u64 = 1024 * 1024;
const MIN_LENGTH_TO_SPLIT: AudioMs = AudioMs::new(60_000);

/// A job whose recording goes to providers in pieces.
pub(super) struct RecordingInPieces {
    pub(super) job: Job,
    pub(super) targets: TargetChain,
    pub(super) plan: PiecePlan,
    /// The pieces that there are at the same time.
    pub(super) at_once: PiecesInSpool,
    pub(super) key: ShareKey,
    pub(super) deadlines: Rc<PieceDeadlines>,
    pub(super) attempts: Attempts,
    pub(super) record: Record,
    /// The length of the recording, or what its beginning claims.
    pub(super) length: Rc<Cell<Length>>,
    /// The longest recording of this caller.
    pub(super) max_length: AudioMs,
    /// The measurement to come, if the recording is still arriving.
    pub(super) late: Option<LateMeasurement>,
}

/// The facts still to come of a recording whose pieces are under way while it arrives.
pub(super) struct ToBeMeasured {
    length: Rc<Cell<Length>>,
    measurement: LateMeasurement,
    deadlines: Rc<PieceDeadlines>,
    plan: PiecePlan,
    at_once: PiecesInSpool,
    room: Room,
}

impl ToBeMeasured {
    /// Tells those who cut, send and join the pieces what was measured. It counts from when the recording is released.
    pub(super) fn set(&self, settings: &Settings, media: MediaInfo) {
        self.length.set(media.length);
        self.measurement.set(media);
        self.deadlines.has_arrived(max_time(settings, media.length));
    }

    /// Reserves room for the pieces of the measured recording, which may be longer than it claimed.
    pub(super) fn reserve_room(&self, media: MediaInfo) -> Result<(), Refused> {
        self.room.reserve(self.at_once.bytes(sound_of_pieces(self.plan, media.length)))
    }
}

/// A sender of the pieces of one job, one after the other.
struct PieceSender {
    /// The job, with the options that each piece has.
    job: Job,
    targets: TargetChain,
    providers: Arc<Providers>,
    attempt_timeout: Duration,
    deadlines: Rc<PieceDeadlines>,
    attempts: Attempts,
    request_id: String,
    trace: Trace,
    answers: AnswerBudget,
    group: PieceGroup,
    send: SendJob,
}

/// Returns the longest time that a recording of this length may take in pieces: that of one answer, and a quarter of its
/// length.
pub(super) fn max_time(settings: &Settings, length: Length) -> Duration {
    settings.upstream.response_timeout.saturating_add(length.upper_bound().duration() / 4)
}

/// Reserves room in the spool for the pieces of a recording that are there at the same time; `None` if it goes as it is.
/// The room of a recording that is still arriving grows with what is cut, whatever its beginning claims.
pub(super) fn reserve_room(
    state: &AppState,
    key: ShareKey,
    job: &Job,
    targets: &TargetChain,
) -> Result<Option<SpoolRoom>, Refused> {
    let Some(plan) = targets.pieces else { return Ok(None) };
    let bytes = at_once(&state.settings, plan, job.media).bytes(sound_of_pieces(plan, job.media.length));
    let quota = &state.shared.intake.quota;
    let reserve = if job.audio.is_arriving() { SpoolRoom::growing } else { SpoolRoom::reserve };
    reserve(quota, key, bytes).map(Some)
}

/// Plans the pieces that there are at the same time.
pub(super) fn at_once(settings: &Settings, plan: PiecePlan, media: MediaInfo) -> PiecesInSpool {
    let sound = sound_of_pieces(plan, media.length);
    PiecesInSpool::new(&settings.speech, &settings.fixed.spool, media.bytes, sound, plan.max)
}

/// Returns the longest sound of all pieces together: the last one may be filled up with zeros.
fn sound_of_pieces(plan: PiecePlan, length: Length) -> AudioMs {
    length.upper_bound().saturating_add(plan.min)
}

/// Returns true if a recording may be too large or too long for a provider whose limits are not known.
pub(super) fn is_worth_splitting(job: &Job) -> bool {
    job.media.bytes >= MIN_BYTES_TO_SPLIT || job.media.length.upper_bound() >= MIN_LENGTH_TO_SPLIT
}

impl RecordingInPieces {
    /// Makes this the way of a recording that is still arriving, and returns what takes the measurement once it is whole.
    pub(super) fn measured_later(&mut self, room: &SpoolRoom) -> ToBeMeasured {
        let measurement = self.late.insert(LateMeasurement::default()).clone();
        self.deadlines.upload.set(UploadTime::Arriving);
        let (length, deadlines) = (Rc::clone(&self.length), Rc::clone(&self.deadlines));
        ToBeMeasured { length, measurement, deadlines, plan: self.plan, at_once: self.at_once, room: room.handle() }
    }

    /// Begins to transcribe the recording, with `room` in the spool for its pieces.
    pub(super) fn transcribe(self, state: &AppState, room: SpoolRoom, send: SendJob) -> TranscriptFuture {
        let Self { job, targets, plan, at_once, key, deadlines, attempts, record, length, max_length, late } = self;
        let (speech, upstream) = (&state.settings.speech, &state.settings.upstream);
        let joiner = Joiner::new(join_request(&job, targets.way));
        let rules = cut_rules(&state.settings, &targets, plan, job.options.format());
        let report = Rc::new(Cell::new(CutReport::default()));
        record.cutting(Rc::clone(&report));
        // Also of a recording of which nothing needs to be sent.
        attempts.divide();
        let shared = &state.shared;
        let cutting = Cutting::start(&shared.speech, key, room, job.audio.clone(), job.media, rules, encoding(plan))
            .of_at_most(max_length);
        let cutting = match &late {
            Some(measurement) => cutting.measured_later(measurement),
            None => cutting,
        };
        let streams = job.options.streams();
        let streams_first =
            streams && matches!(job.options.format(), Format::Json | Format::Text) && joiner.takes_streams();
        let max_at_once = usize::try_from(at_once.at_once.get()).unwrap_or(usize::MAX);
        let options = piece_options(&job.options, &joiner);
        let is_subtitles = matches!(job.options.format(), Format::Srt | Format::Vtt);
        let answers = AnswerBudget::new(upstream.max_answer_bytes);
        let group = if matches!(targets.way, Way::Convert(_)) { PieceGroup::of_one() } else { PieceGroup::of_many() };
        let sender = PieceSender {
            job: Job { options, ..job },
            targets,
            providers: Arc::clone(&state.providers),
            attempt_timeout: upstream.response_timeout,
            deadlines,
            attempts,
            request_id: record.request_id(),
            trace: record.trace(),
            answers: answers.clone(),
            group: group.clone(),
            send,
        };
        let request = SplitRequest {
            pieces: split::pieces_of(cutting, Rc::clone(&report), Rc::clone(&length)),
            send: Box::new(move |piece| sender.send(&piece)),
            group,
            joiner,
            length,
            report,
            at_once: max_at_once,
            streams_first,
            // The end of subtitles is no text that was said.
            carries_context: speech.carry_context && !is_subtitles,
            answers,
            max_event_bytes: state.settings.relay.max_event_bytes,
        };
        Box::pin(split::transcribe(request, streams))
    }
}

impl PieceSender {
    fn send(&self, to_send: &PieceToSend<'_>) -> SendingPiece {
        let piece = to_send.piece;
        let mut job = split::job_of_piece(&self.job, piece);
        job.options.stream = Some(to_send.streamed);
        if let Some(before) = to_send.before {
            job.options.prompt = Some(with_context(job.options.prompt.as_deref(), before));
        }
        let begin = || self.attempts.begin_piece(job.billed_length().upper_bound(), job.options.text_bytes());
        let log = to_send.log.cloned().unwrap_or_else(begin);
        let span = self.trace.begin(Step::Forward);
        span.set("voxgate.piece", i64::from(piece.number));
        let reply = (self.send)(ForwardRequest {
            job,
            targets: self.targets.clone(),
            providers: Arc::clone(&self.providers),
            request_id: self.request_id.clone(),
            deadline: self.deadlines.next(),
            portion: Portion::Piece { attempt_timeout: self.attempt_timeout, group: self.group.clone() },
            answers: self.answers.clone(),
            log: log.clone(),
            span,
        });
        SendingPiece { log, reply }
    }
}

/// Returns the encoding of the pieces.
fn encoding(plan: PiecePlan) -> Encoding {
    if plan.encoding == FileFormat::Wav { Encoding::Wav } else { Encoding::Flac }
}

/// Returns the rules by which a recording is cut.
fn cut_rules(settings: &Settings, targets: &TargetChain, plan: PiecePlan, format: Format) -> CutRules {
    let samples = |length: AudioMs| Samples::from_ms(length.get());
    let limits = PieceLimits::new(samples(plan.min), samples(plan.max));
    let rules = match targets.way {
        Way::AsIs | Way::Convert(_) => return CutRules::whole(),
        way @ Way::Split(_) if way.times_by_pieces() => CutRules::subtitles(limits),
        // The names of speakers hold for one piece, so silence divides none.
        Way::Split(_) if format == Format::DiarizedJson => CutRules::as_long_as(limits).with_silence(),
        Way::Split(_) => CutRules::pieces(samples(plan.target), limits),
    };
    let MaxPieces { base, each } = plan.max_pieces(targets.way);
    let rules = rules.with_max_pieces(base, samples(each));
    if settings.speech.skip_silence { rules } else { rules.with_silence() }
}

fn join_request(job: &Job, way: Way) -> JoinRequest {
    JoinRequest {
        format: job.options.format(),
        times: if way.times_by_pieces() { Times::Pieces } else { Times::Model },
        task: job.task,
        language: job.options.language.clone(),
        known_speakers: job.options.speaker_names.clone(),
    }
}

/// Returns the options that each piece has: those of the job, in the format that the pieces need.
fn piece_options(options: &Options, joiner: &Joiner) -> Options {
    let mut options = options.clone();
    let format = joiner.piece_format();
    if format != options.format() {
        options.format = Some(format);
        options.granularities.clear();
    }
    options
}

/// Returns the prompt with the last words of the transcript behind it.
fn with_context(prompt: Option<&str>, before: &str) -> String {
    let from = before.char_indices().rev().nth(MAX_CONTEXT_CHARS - 1).map_or(0, |(at, _)| at);
    let words = before.get(from..).unwrap_or_default();
    // Not from the middle of a word.
    let words = if from == 0 { words } else { words.split_once(' ').map_or(words, |(_, rest)| rest) };
    [prompt.unwrap_or_default(), words].join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_a_few_whole_words() {
        assert_eq!(with_context(None, "one two"), "one two");
        assert_eq!(with_context(Some("names: Ada"), "one"), "names: Ada one");
        assert_eq!(with_context(Some("names"), ""), "names");
        let long = "word ".repeat(100);
        let context = with_context(None, &long);
        assert!(context.starts_with("word") && context.len() < MAX_CONTEXT_CHARS, "{context}");
        let without_spaces = "語".repeat(300);
        assert_eq!(with_context(None, &without_spaces).chars().count(), MAX_CONTEXT_CHARS);
    }
}
