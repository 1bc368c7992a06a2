//! The cutter: frames to decisions.

use std::collections::VecDeque;

use super::activity::Activity;
use super::cut_point;
use super::frame::{FRAME_LENGTH, Frame, start_of};
use super::rules::CutRules;
use crate::speech::samples::{Samples, Span};

/// The maximum number of stretches of voice that a piece lists. From then on the last one goes to the end of the voice.
/// Only a recording in one piece of many hours has so many.
const MAX_STRETCHES: usize = 32 * 1024;

/// A decision about the samples that follow those of the decision before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::speech) enum Decision {
    /// The samples up to `until` are silence that is not sent.
    Skip {
        /// The first sample after them.
        until: Samples,
    },
    /// The samples up to `until` belong to the current piece.
    Send {
        /// The first sample after them.
        until: Samples,
    },
    /// The piece is complete.
    End(PieceFacts),
}

/// A piece that is complete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::speech) struct PieceFacts {
    /// Its samples.
    pub(in crate::speech) span: Span,
    /// The stretches of voice in it.
    pub(in crate::speech) voice: Vec<Span>,
}

/// Decides where a recording is cut, as its frames come. Each decision comes as soon as nothing later can change it.
#[derive(Debug)]
pub(in crate::speech) struct Cutter {
    rules: CutRules,
    activity: Activity,
    /// The first sample of the current piece; `None` in the silence between two regions.
    piece: Option<Samples>,
    /// The stretches of voice since the start of the piece, without the open one.
    voice: VecDeque<Span>,
    /// The frames in which the next cut may lie.
    window: VecDeque<Frame>,
    /// The number of the first of them.
    window_start: u64,
    /// The first sample that is not decided.
    decided: Samples,
    decisions: VecDeque<Decision>,
    /// The number of complete pieces.
    pieces: u64,
    /// The number of samples that the recording surely has.
    arrived: Samples,
}

impl Cutter {
    pub(in crate::speech) fn new(rules: CutRules) -> Self {
        Self {
            rules,
            activity: Activity::default(),
            piece: None,
            voice: VecDeque::new(),
            window: VecDeque::new(),
            window_start: 0,
            decided: Samples::default(),
            decisions: VecDeque::new(),
            pieces: 0,
            arrived: Samples::default(),
        }
    }

    /// Gives back the memory that nothing needs until more frames come.
    pub(in crate::speech) fn trim(&mut self) {
        self.window.shrink_to_fit();
        self.voice.shrink_to_fit();
        self.decisions.shrink_to_fit();
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub(in crate::speech) fn held_bytes(&self) -> usize {
        self.window.capacity() * size_of::<Frame>() + self.voice.capacity() * size_of::<Span>()
    }

    /// Takes the number of samples that have come, so that no frame within them waits for the next.
    pub(in crate::speech) fn arrived(&mut self, samples: Samples) {
        self.arrived = samples;
    }

    /// Takes the next frame.
    pub(in crate::speech) fn push(&mut self, frame: Frame) {
        self.window.push_back(frame);
        if let Some(ended) = self.activity.push(frame) {
            self.add_voice(ended);
        }
        let end = self.activity.position();
        // Unless more is known to have come, the recording may end within this frame.
        self.decide(end.saturating_sub(FRAME_LENGTH).max(end.min(self.arrived)));
        self.trim_window();
    }

    /// Ends the recording, which has `total` samples.
    pub(in crate::speech) fn finish(&mut self, total: Samples) {
        if let Some(ended) = self.activity.end() {
            self.add_voice(Span { end: ended.end.min(total), ..ended });
        }
        self.decide(total);
        if let Some(start) = self.piece.take() {
            let end = if self.rules.skips_silence() { self.padded_end(start, total) } else { total };
            self.end_piece(Span { start, end });
        }
        self.skip(total);
    }

    /// Returns the next decision.
    pub(in crate::speech) fn next_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// Decides all that can be, with the recording known up to `end`.
    fn decide(&mut self, end: Samples) {
        loop {
            let go_on = match self.piece {
                None => self.begin_piece(),
                Some(start) if self.extent(end) >= start.saturating_add(self.rules.cut_from()) => self.cut(start),
                Some(start) if self.is_over(end) => {
                    self.piece = None;
                    let end = self.padded_end(start, self.activity.undecided_from().min(end));
                    self.end_piece(Span { start, end });
                    true
                }
                Some(start) => {
                    self.send(self.extent(end).min(start.saturating_add(self.rules.earliest())));
                    false
                }
            };
            if !go_on {
                return;
            }
        }
    }

    /// Begins a piece if there is voice, or if everything is sent. Returns true if there is one.
    fn begin_piece(&mut self) -> bool {
        if !self.rules.skips_silence() {
            self.piece = Some(self.decided);
            return true;
        }
        let voice = self.first_voice();
        let from = voice.map_or(self.activity.undecided_from(), |voice| voice.start);
        self.skip(from.saturating_sub(self.rules.padding()));
        self.piece = voice.map(|_| self.decided);
        voice.is_some()
    }

    /// Cuts the piece that began at `start`.
    fn cut(&mut self, start: Samples) -> bool {
        let at = self.cut_point(start);
        let (before, after) = self.split_voice(at);
        self.voice = after;
        let quiet = self.rules.cut_padding();
        // The samples up to the start of the window may be sent already.
        let earliest = start.saturating_add(self.rules.earliest()).min(at);
        let end = before.last().map_or(at, |last| last.end.saturating_add(quiet).clamp(earliest, at));
        let next = self.first_voice().map_or(at, |voice| voice.start.saturating_sub(quiet).max(at));
        self.send(end);
        self.pieces = self.pieces.saturating_add(1);
        self.decisions.push_back(Decision::End(PieceFacts { span: Span { start, end }, voice: before }));
        self.skip(next);
        self.piece = Some(next);
        true
    }

    /// Returns the best cut of a piece that began at `start`.
    fn cut_point(&mut self, start: Samples) -> Samples {
        let (earliest, latest) =
            (start.saturating_add(self.rules.earliest()), start.saturating_add(self.rules.latest()));
        let from = earliest.get().div_ceil(FRAME_LENGTH.get());
        let to = latest.get() / FRAME_LENGTH.get();
        let in_window = |number: u64| usize::try_from(number.saturating_sub(self.window_start)).unwrap_or(usize::MAX);
        let frames: Vec<_> = self.window.iter().take(in_window(to)).skip(in_window(from)).copied().collect();
        start_of(from).saturating_add(cut_point::best(&frames)).clamp(earliest, latest)
    }

    /// Divides the voice at a cut into that before and that after it.
    fn split_voice(&mut self, at: Samples) -> (Vec<Span>, VecDeque<Span>) {
        let (mut before, mut after) = (Vec::new(), VecDeque::new());
        for span in self.voice.drain(..).chain(self.activity.voice()) {
            if span.start < at {
                before.push(Span { end: span.end.min(at), ..span });
            }
            if span.end > at {
                after.push_back(Span { start: span.start.max(at), ..span });
            }
        }
        if self.activity.voice().is_some() {
            // The open stretch stays with `activity`.
            after.pop_back();
            self.activity.cut(at);
        }
        (before, after)
    }

    /// Returns the first voice since the start of the piece.
    fn first_voice(&self) -> Option<Span> {
        self.voice.front().copied().or_else(|| self.activity.voice())
    }

    /// Returns the end of the last voice since the start of the piece.
    fn last_voice(&self) -> Option<Samples> {
        self.activity.voice().or_else(|| self.voice.back().copied()).map(|voice| voice.end)
    }

    /// Returns the position up to which everything belongs to the region, with the recording known up to `end`.
    fn extent(&self, end: Samples) -> Samples {
        if self.rules.skips_silence() { self.last_voice().unwrap_or(self.decided).min(end) } else { end }
    }

    /// Returns true if a long silence has ended the region, and the recording may have another piece.
    fn is_over(&self, end: Samples) -> bool {
        let quiet_until = self.activity.undecided_from().min(end);
        self.rules.skips_silence()
            && self.last_voice().is_none_or(|last| quiet_until.saturating_sub(last) >= self.rules.gap())
            && self.rules.may_divide(self.pieces, quiet_until)
    }

    /// Returns the end of a region that began at `start`, with its padding, and with more silence if it would be too
    /// short without; `quiet_until` is the end of the silence after it.
    fn padded_end(&self, start: Samples, quiet_until: Samples) -> Samples {
        let last = self.last_voice().unwrap_or(start);
        let max = last.saturating_add(self.rules.gap_kept()).min(quiet_until).max(last);
        last.saturating_add(self.rules.padding()).max(start.saturating_add(self.rules.min())).min(max)
    }

    fn end_piece(&mut self, span: Span) {
        if span.length() == Samples::default() {
            return;
        }
        self.send(span.end);
        let voice = self.voice.drain(..).collect();
        self.pieces = self.pieces.saturating_add(1);
        self.decisions.push_back(Decision::End(PieceFacts { span, voice }));
    }

    fn send(&mut self, until: Samples) {
        if until > self.decided {
            self.decided = until;
            self.decisions.push_back(Decision::Send { until });
        }
    }

    fn skip(&mut self, until: Samples) {
        if until > self.decided {
            self.decided = until;
            self.decisions.push_back(Decision::Skip { until });
        }
    }

    fn add_voice(&mut self, span: Span) {
        let is_full = self.voice.len() >= MAX_STRETCHES;
        match self.voice.back_mut().filter(|_| is_full) {
            Some(last) => last.end = span.end,
            None => self.voice.push_back(span),
        }
    }

    /// Forgets the frames before those in which the next cut may lie.
    fn trim_window(&mut self) {
        let from = self.piece.map_or(self.decided, |start| start.saturating_add(self.rules.earliest()));
        let before = (from.get() / FRAME_LENGTH.get()).saturating_sub(self.window_start);
        let count = usize::try_from(before).unwrap_or(usize::MAX).min(self.window.len());
        self.window.drain(..count);
        self.window_start += u64::try_from(count).unwrap_or(u64::MAX);
    }
}
