//! The parts of a stream that are played: without priming, padding, and what an edit list leaves out.

use std::collections::VecDeque;

use crate::intake::media::EditPart;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A part to play, in samples of the stream; it ends before `ends`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    begins: u64,
    ends: u64,
}

/// The samples of a stream, of which those to be played are kept.
#[derive(Debug)]
pub(super) struct Timeline {
    rate: u32,
    /// The number of samples so far, played or not.
    position: u64,
    parts: VecDeque<Part>,
    /// The end that the stream states.
    end: Option<u64>,
    /// The samples of the last packet that are to be played: its end may turn out to be padding.
    held: Vec<f32>,
}

impl Timeline {
    /// Creates a timeline of `rate` samples a second, all of which are played.
    pub(super) fn new(rate: u32) -> Self {
        let parts = VecDeque::from([Part { begins: 0, ends: u64::MAX }]);
        Self { rate, position: 0, parts, end: None, held: Vec::new() }
    }

    /// Returns this timeline at another rate. No samples are held.
    pub(super) fn at_rate(&self, rate: u32) -> Self {
        let rescaled = |at: u64| match at {
            u64::MAX => at,
            // Parts are in samples, whatever their rate turns out to be.
            at if self.rate == 0 => at,
            at => {
                let scaled = u128::from(at) * u128::from(rate) / u128::from(self.rate);
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
        };
        let parts = self.parts.iter().map(|part| Part { begins: rescaled(part.begins), ends: rescaled(part.ends) });
        Self {
            rate,
            position: rescaled(self.position),
            parts: parts.collect(),
            end: self.end.map(rescaled),
            held: Vec::new(),
        }
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Returns the number of samples so far, played or not.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Leaves out the first `count` samples.
    pub(super) fn skip(&mut self, count: u64) {
        if let Some(first) = self.parts.front_mut() {
            first.begins = first.begins.max(count);
        }
    }

    /// Leaves out the first `nanos` nanoseconds.
    pub(super) fn skip_nanos(&mut self, nanos: u64) {
        self.skip(self.scale(nanos, NANOS_PER_SECOND));
    }

    /// Leaves out what comes from the sample `end` on.
    pub(super) fn end_at(&mut self, end: u64) {
        let end = end.max(self.position);
        self.end = Some(end);
        self.parts.retain(|part| part.begins < end);
        if let Some(last) = self.parts.back_mut() {
            last.ends = last.ends.min(end);
        }
    }

    /// Returns the number of samples beyond the end that the stream states. Padding is a packet or two; more is sound that
    /// would be left out.
    pub(super) fn beyond_end(&self) -> u64 {
        self.end.map_or(0, |end| self.position.saturating_sub(end))
    }

    /// Plays `parts` alone, and nothing twice: a part begins no earlier than the one before it ends.
    pub(super) fn edit(&mut self, parts: &[EditPart]) {
        let place = |ticks: u64, timescale: u32| {
            if ticks == u64::MAX { u64::MAX } else { self.scale(ticks, timescale.into()) }
        };
        let part = |part: &EditPart| Part {
            begins: place(part.begins, part.timescale),
            ends: place(part.ends, part.timescale),
        };
        if !parts.is_empty() {
            let mut played_until = 0;
            let once = parts.iter().map(part).filter_map(|Part { begins, ends }| {
                let begins = begins.max(played_until);
                played_until = played_until.max(ends);
                (begins < ends).then_some(Part { begins, ends })
            });
            self.parts = once.collect();
        }
    }

    /// Takes the next samples, and hands those that are played and final to `play`.
    pub(super) fn push(&mut self, samples: &[f32], mut play: impl FnMut(&[f32])) {
        if samples.is_empty() {
            return;
        }
        if !self.held.is_empty() {
            play(&self.held);
            self.held.clear();
        }
        let from = self.position;
        let until = from.saturating_add(u64::try_from(samples.len()).unwrap_or(u64::MAX));
        self.position = until;
        while let Some(part) = self.parts.front().copied() {
            let (begins, ends) = (part.begins.max(from), part.ends.min(until));
            if begins < ends {
                let range = [begins, ends].map(|at| usize::try_from(at - from).unwrap_or(usize::MAX));
                let [begins, ends] = range;
                self.held.extend_from_slice(samples.get(begins..ends).unwrap_or_default());
            }
            if part.ends > until {
                break;
            }
            self.parts.pop_front();
        }
    }

    /// Takes back the last `nanos` nanoseconds of the last packet, which are padding.
    pub(super) fn pad(&mut self, nanos: u64) {
        let padding = usize::try_from(self.scale(nanos, NANOS_PER_SECOND)).unwrap_or(usize::MAX);
        self.held.truncate(self.held.len().saturating_sub(padding));
    }

    /// Hands the rest to `play`.
    pub(super) fn finish(&mut self, mut play: impl FnMut(&[f32])) {
        if !self.held.is_empty() {
            play(&self.held);
            self.held.clear();
        }
    }

    /// Gives back the memory that nothing needs until more samples come.
    pub(super) fn trim(&mut self) {
        self.held.shrink_to_fit();
    }

    /// Converts a time in units of which `units` make a second to samples, to the nearest.
    fn scale(&self, time: u64, units: u64) -> u64 {
        let twice = u128::from(time) * u128::from(self.rate) * 2 / u128::from(units.max(1));
        u64::try_from(twice.div_ceil(2)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays packets of ten samples, numbered from zero, and returns the numbers of those that are played.
    fn play(mut timeline: Timeline, packets: u16, padding: u64) -> Vec<f32> {
        let mut played = Vec::new();
        for packet in 0..packets {
            let samples: Vec<f32> = (0..10).map(|at| f32::from(packet * 10 + at)).collect();
            timeline.push(&samples, |samples| played.extend_from_slice(samples));
        }
        timeline.pad(padding);
        timeline.finish(|samples| played.extend_from_slice(samples));
        played
    }

    fn numbers(range: std::ops::Range<u16>) -> Vec<f32> {
        range.map(f32::from).collect()
    }

    #[test]
    fn priming_and_padding_are_left_out() {
        assert_eq!(play(Timeline::new(1000), 3, 0), numbers(0..30));
        let mut timeline = Timeline::new(1000);
        timeline.skip_nanos(12_000_000);
        timeline.end_at(27);
        assert_eq!(play(timeline, 3, 0), numbers(12..27));
        assert_eq!(play(Timeline::new(1000), 3, 4_000_000), numbers(0..26));
        // Padding is the end of the last packet, and no more than that.
        assert_eq!(play(Timeline::new(1000), 3, u64::MAX), numbers(0..20));
    }

    #[test]
    fn the_parts_of_an_edit_list_are_played() {
        let parts = [(5, 8), (8, 12), (20, u64::MAX)];
        let parts = parts.map(|(begins, ends)| EditPart { begins, ends, timescale: 500 });
        let mut timeline = Timeline::new(1000);
        timeline.edit(&parts);
        assert_eq!(play(timeline, 5, 0), [numbers(10..24), numbers(40..50)].concat());
    }

    #[test]
    fn no_part_of_an_edit_list_is_played_twice() {
        let parts = [(0, 20), (0, 20), (10, 25), (5, 8), (30, 32)];
        let parts = parts.map(|(begins, ends)| EditPart { begins, ends, timescale: 1000 });
        let mut timeline = Timeline::new(1000);
        timeline.edit(&parts);
        assert_eq!(play(timeline, 5, 0), [numbers(0..25), numbers(30..32)].concat());
    }

    #[test]
    fn a_change_of_rate_changes_nothing_about_what_is_played() {
        let parts = [(5, 8), (12, 18)].map(|(begins, ends)| EditPart { begins, ends, timescale: 500 });
        let mut timeline = Timeline::new(1000);
        timeline.edit(&parts);
        let mut played = Vec::new();
        let samples: Vec<f32> = (0..20_u16).map(f32::from).collect();
        timeline.push(&samples, |samples| played.extend_from_slice(samples));
        timeline.finish(|samples| played.extend_from_slice(samples));
        // 20 ms are over; of the next 60, the first 4 and those from the 16th on are left out.
        let mut timeline = timeline.at_rate(2000);
        assert_eq!(timeline.position(), 40);
        let samples: Vec<f32> = (40..100_u16).map(f32::from).collect();
        timeline.push(&samples, |samples| played.extend_from_slice(samples));
        timeline.finish(|samples| played.extend_from_slice(samples));
        assert_eq!(played, [numbers(10..16), numbers(48..72)].concat());
    }

    #[test]
    fn sound_beyond_the_stated_end_is_counted() {
        let mut timeline = Timeline::new(1000);
        timeline.push(&[0.0; 10], |_| ());
        assert_eq!(timeline.beyond_end(), 0);
        timeline.end_at(15);
        timeline.push(&[0.0; 10], |_| ());
        timeline.push(&[0.0; 10], |_| ());
        assert_eq!(timeline.beyond_end(), 15);
    }

    #[test]
    fn an_end_that_has_passed_takes_nothing_back() {
        let mut timeline = Timeline::new(1000);
        let mut played = Vec::new();
        timeline.push(&[1.0, 2.0], |samples| played.extend_from_slice(samples));
        timeline.end_at(1);
        timeline.push(&[3.0], |samples| played.extend_from_slice(samples));
        timeline.finish(|samples| played.extend_from_slice(samples));
        assert_eq!((played, timeline.position()), (vec![1.0, 2.0], 3));
    }
}
