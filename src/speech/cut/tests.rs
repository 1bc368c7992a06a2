use proptest::prelude::*;

use super::frame::{FRAME_LENGTH, MIN_PAUSE, MIN_VOICE, start_of};
use super::rules::MIN_GAP;
use super::*;
use crate::speech::samples::{Samples, Span};

const SECOND: u64 = 62;

fn seconds(count: u64) -> Samples {
    Samples::from_ms(count * 1000)
}

fn frame(score: f32) -> Frame {
    Frame { score, energy: score }
}

/// Frames of voice (`true`) and silence, by their numbers.
fn frames(runs: &[(bool, u64)]) -> Vec<Frame> {
    let run = |&(is_voice, count): &(bool, u64)| {
        std::iter::repeat_n(frame(if is_voice { 0.9 } else { 0.1 }), usize::try_from(count).unwrap())
    };
    runs.iter().flat_map(run).collect()
}

/// Cuts a recording, and checks that decisions come in order and in time.
fn cut(rules: CutRules, frames: &[Frame], total: Samples) -> Vec<PieceFacts> {
    let (mut cutter, mut seen) = (Cutter::new(rules), Seen::default());
    let max_lag = max_lag(rules);
    for (number, &frame) in (1..).zip(frames) {
        cutter.push(frame);
        seen.take(&mut cutter);
        let lag = start_of(number).saturating_sub(seen.until);
        assert!(lag <= max_lag, "{lag:?} is more than {max_lag:?}");
    }
    cutter.finish(total);
    seen.take(&mut cutter);
    assert_eq!(seen.until, total, "everything is decided at the end");
    seen.pieces
}

/// Returns the longest time that samples wait for a decision.
fn max_lag(rules: CutRules) -> Samples {
    let undecided = start_of((MIN_VOICE - 1) * MIN_PAUSE + 2);
    let window = rules.cut_from().saturating_sub(rules.earliest());
    if rules.skips_silence() {
        window.saturating_add(MIN_GAP).saturating_add(undecided).max(rules.padding().saturating_add(undecided))
    } else {
        window.saturating_add(start_of(2))
    }
}

#[derive(Default)]
struct Seen {
    until: Samples,
    /// The samples of the current piece.
    open: Option<Span>,
    pieces: Vec<PieceFacts>,
}

impl Seen {
    fn take(&mut self, cutter: &mut Cutter) {
        while let Some(decision) = cutter.next_decision() {
            match decision {
                Decision::Skip { until } => {
                    assert!(until > self.until && self.open.is_none(), "a piece has no gap");
                    self.until = until;
                }
                Decision::Send { until } => {
                    assert!(until > self.until);
                    self.open.get_or_insert(Span { start: self.until, end: until }).end = until;
                    self.until = until;
                }
                Decision::End(facts) => {
                    assert_eq!(Some(facts.span), self.open.take());
                    self.pieces.push(facts);
                }
            }
        }
    }
}

fn spans(pieces: &[PieceFacts]) -> Vec<(u64, u64)> {
    pieces.iter().map(|piece| (piece.span.start.audio_ms().get(), piece.span.end.audio_ms().get())).collect()
}

fn limits(min_ms: u64, max_ms: u64) -> PieceLimits {
    PieceLimits::new(Samples::from_ms(min_ms), Samples::from_ms(max_ms))
}

fn ordinary() -> CutRules {
    CutRules::pieces(seconds(300), limits(100, 800_000))
}

#[test]
fn long_silences_divide_a_recording_into_padded_regions() {
    let frames =
        frames(&[(false, 625), (true, 625), (false, 180), (true, 125), (false, 625), (true, 125), (false, 20)]);
    let pieces = cut(ordinary(), &frames, start_of(2325));
    // 2.88 s of silence do not divide, 10 s do; the end of the recording is nearer than the padding.
    assert_eq!(spans(&pieces), [(9600, 25_280), (34_480, 37_200)]);
    assert_eq!(pieces[0].voice.len(), 2);
}

#[test]
fn a_recording_without_voice_has_no_piece_unless_silence_is_sent() {
    let silence = frames(&[(false, 1000), (true, 3), (false, 1000)]);
    assert_eq!(cut(ordinary(), &silence, start_of(2003)), []);
    let pieces = cut(ordinary().with_silence(), &silence, start_of(2003));
    assert_eq!(spans(&pieces), [(0, 32_048)]);
    assert_eq!(cut(ordinary().with_silence(), &[], Samples::default()), []);
    assert_eq!(cut(CutRules::whole(), &silence, start_of(2003)).len(), 1);
}

#[test]
fn a_cut_lies_in_the_middle_of_the_longest_pause_near_the_target() {
    let talk =
        [(true, 287 * SECOND), (false, 20), (true, 300), (false, 40), (true, 300), (false, 30), (true, 40 * SECOND)];
    let pieces = cut(ordinary(), &frames(&talk), start_of(100_000));
    let middle = start_of(287 * SECOND + 20 + 300 + 20);
    assert_eq!(pieces.iter().map(|piece| piece.span.end).next(), Some(middle));
    assert_eq!(pieces[1].span.start, middle);
}

#[test]
fn without_a_pause_the_cut_lies_where_the_sound_is_least_like_speech() {
    let mut frames = frames(&[(true, 400 * SECOND)]);
    let at = usize::try_from(300 * SECOND).unwrap();
    frames[at..at + 15].fill(frame(0.6));
    let pieces = cut(ordinary(), &frames, start_of(400 * SECOND));
    assert_eq!(pieces[0].span.end, start_of(300 * SECOND).saturating_add(Samples::from_ms(120)));
    // Where nothing is, the quietest place wins.
    frames[at..at + 15].fill(Frame { score: 0.895, energy: 0.9 });
    frames[at + 200..at + 215].fill(Frame { score: 0.9, energy: 0.1 });
    let pieces = cut(ordinary(), &frames, start_of(400 * SECOND));
    assert_eq!(pieces[0].span.end, start_of(300 * SECOND + 200).saturating_add(Samples::from_ms(120)));
}

#[test]
fn subtitles_are_cut_within_thirty_seconds_and_keep_half_a_second_of_a_pause() {
    let talk = [(true, 625), (false, 150), (true, 625), (false, 30), (true, 1500)];
    let pieces = cut(CutRules::subtitles(limits(100, 800_000)), &frames(&talk), start_of(2930));
    assert_eq!(spans(&pieces), [(0, 10_500), (11_900, 22_640), (22_640, 46_880)]);
}

#[test]
fn a_short_region_is_lengthened_by_the_silence_around_it() {
    let frames = frames(&[(false, 2), (true, 5), (false, 1000)]);
    let pieces = cut(CutRules::pieces(seconds(300), limits(1500, 800_000)), &frames, start_of(1007));
    assert_eq!(spans(&pieces), [(0, 1500)]);
}

#[test]
fn one_piece_holds_everything_of_a_recording_that_is_not_cut() {
    let talk = frames(&[(false, 1000), (true, 900 * SECOND), (false, 1000), (true, 2)]);
    let pieces = cut(CutRules::whole(), &talk, start_of(57_802));
    assert_eq!(spans(&pieces), [(0, 924_832)]);
    assert_eq!(pieces[0].voice, [Span { start: start_of(1000), end: start_of(56_800) }]);
}

/// The stretches of voice, computed at once.
fn voice(frames: &[Frame], total: Samples) -> Vec<Span> {
    let mut stretches: Vec<(u64, u64, u64)> = Vec::new();
    for (number, _) in (0..).zip(frames).filter(|(_, frame)| frame.score >= 0.5) {
        match stretches.last_mut() {
            Some((_, end, voiced)) if number - *end < MIN_PAUSE => (*end, *voiced) = (number + 1, *voiced + 1),
            _ => stretches.push((number, number + 1, 1)),
        }
    }
    let loud = stretches.into_iter().filter(|(_, _, voiced)| *voiced >= MIN_VOICE);
    loud.map(|(start, end, _)| Span { start: start_of(start), end: start_of(end).min(total) }).collect()
}

/// Returns the lengths of the pauses around a position and of the longest pause in a window.
fn pauses(frames: &[Frame], at: Samples, window: Span) -> (usize, usize) {
    let index = |samples: Samples| usize::try_from(samples.get() / FRAME_LENGTH.get()).unwrap();
    let from = usize::try_from(window.start.get().div_ceil(FRAME_LENGTH.get())).unwrap();
    let frames = &frames[from..index(window.end)];
    let at = index(at) - from;
    let quiet = |frame: &&Frame| frame.score < 0.5;
    let around = frames[..at].iter().rev().take_while(quiet).count() + frames[at..].iter().take_while(quiet).count();
    let longest = frames.split(|frame| frame.score >= 0.5).map(<[_]>::len).max().unwrap_or(0);
    (around, longest)
}

/// One in ten runs is long, so that there are regions and recordings without pauses.
fn any_run() -> impl Strategy<Value = (bool, u64)> {
    (any::<bool>(), prop_oneof![5 => 1..12_u64, 4 => 5..120_u64, 1 => 150..2500_u64])
}

fn any_frames() -> impl Strategy<Value = Vec<Frame>> {
    let score = |(is_voice, count): (bool, u64)| {
        let scores = if is_voice { 0.5..1.0_f32 } else { 0.0..0.5_f32 };
        prop::collection::vec((scores, 0.0..1.0_f32), usize::try_from(count).unwrap())
    };
    prop::collection::vec(any_run().prop_flat_map(score), 0..60)
        .prop_map(|runs| runs.concat().into_iter().map(|(score, energy)| Frame { score, energy }).collect())
}

fn any_limits() -> impl Strategy<Value = PieceLimits> {
    (0..3000_u64, prop_oneof![0..3000_u64, 2000..40_000_u64, 0..900_000_u64]).prop_map(|(min, max)| limits(min, max))
}

fn any_rules() -> impl Strategy<Value = (PieceLimits, CutRules)> {
    let rules = |(limits, kind, target, silence): (PieceLimits, u8, u64, bool)| {
        let rules = match kind {
            0 => CutRules::subtitles(limits),
            1 => CutRules::as_long_as(limits),
            _ => CutRules::pieces(Samples::from_ms(target), limits),
        };
        (limits, if silence { rules.with_silence() } else { rules })
    };
    (any_limits(), 0..4_u8, prop_oneof![0..30_000_u64, 0..400_000_u64], any::<bool>()).prop_map(rules)
}

proptest! {
    #[test]
    fn pieces_are_ordered_bounded_and_hold_all_voice(
        frames in any_frames(), (limits, rules) in any_rules(), missing in 0..256_u64,
    ) {
        let end = start_of(frames.len().try_into().unwrap());
        let total = end.saturating_sub(Samples::new(missing));
        let pieces = cut(rules, &frames, total);
        let mut heard: Vec<Span> = Vec::new();
        let mut previous = Samples::default();
        for PieceFacts { span, voice } in &pieces {
            prop_assert!(span.start >= previous && span.end > span.start && span.end <= total);
            previous = span.end;
            prop_assert!(span.length() <= limits.max(), "{:?} of {:?}", span, rules);
            for part in voice {
                prop_assert!(part.start >= span.start && part.end <= span.end && part.end > part.start);
                match heard.last_mut() {
                    // A cut divided this stretch.
                    Some(last) if last.end == part.start => last.end = part.end,
                    _ => heard.push(*part),
                }
            }
            prop_assert!(!voice.is_empty() || !rules.skips_silence());
            let last = voice.last().map_or(span.end, |last| last.end);
            let has_no_room = span.end == total || span.end.saturating_sub(last) >= Samples::new(MIN_GAP.get() / 2);
            prop_assert!(span.length() >= rules.min() || has_no_room, "{:?} of {:?}", span, rules);
        }
        prop_assert_eq!(heard, voice(&frames, total));
        for pair in pieces.windows(2) {
            let (this, next) = (pair[0].span, pair[1].span);
            if this.end == next.start {
                let window = Span {
                    start: this.start.saturating_add(rules.earliest()),
                    end: this.start.saturating_add(rules.latest()),
                };
                prop_assert!(this.end >= window.start && this.end <= window.end);
                let (here, longest) = pauses(&frames, this.end, window);
                prop_assert!(longest < 8 || here == longest, "{} of {}", here, longest);
            } else {
                prop_assert!(rules.skips_silence());
            }
        }
        if !rules.skips_silence() && total > Samples::default() {
            prop_assert_eq!(pieces.first().map(|piece| piece.span.start), Some(Samples::default()));
            prop_assert_eq!(previous, total);
        }
    }

    #[test]
    fn any_limits_make_rules_that_can_be_kept((limits, rules) in any_rules()) {
        let (earliest, latest) = (rules.earliest(), rules.latest());
        prop_assert!(limits.min() <= earliest && earliest < latest);
        prop_assert!(rules.cut_from().saturating_add(rules.padding()) <= limits.max());
        prop_assert!(rules.cut_from().saturating_sub(latest) >= limits.min());
        prop_assert!(limits.max() >= Samples::from_ms(1000) && limits.max() <= Samples::from_ms(800_000));
    }
}

#[test]
fn silence_divides_a_recording_into_no_more_pieces_than_are_charged() {
    let each = seconds(30);
    let runs: Vec<_> = (0..200).flat_map(|_| [(true, SECOND), (false, 4 * SECOND)]).collect();
    let (frames, total) = (frames(&runs), start_of(200 * 5 * SECOND));
    let rules = ordinary().with_max_pieces(3, each);
    let (mut cutter, mut seen, mut max_lag) = (Cutter::new(rules), Seen::default(), Samples::default());
    for (number, &frame) in (1..).zip(&frames) {
        cutter.push(frame);
        seen.take(&mut cutter);
        max_lag = max_lag.max(start_of(number).saturating_sub(seen.until));
    }
    cutter.finish(total);
    seen.take(&mut cutter);
    let count = u64::try_from(seen.pieces.len()).unwrap();
    let bound = 3 + total.get() / each.get();
    assert!(count <= bound && count > bound / 2, "{count} of {bound}");
    assert!(max_lag <= seconds(75), "{max_lag:?}");
    let heard: u64 = seen.pieces.iter().flat_map(|piece| &piece.voice).map(|span| span.length().get()).sum();
    assert_eq!(heard, 200 * start_of(SECOND).get(), "all voice is in a piece");
}
