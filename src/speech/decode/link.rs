//! A link: a part of a recording with one track, decoded from its first packet to its last.

use super::codec::{Decode, Gapless, Undecoded, decoder};
use super::damage::Damage;
use super::effort::Effort;
use super::error::Reason;
use super::resample::Resampler;
use super::split::{Splitter, Unit};
use super::timeline::Timeline;
use crate::domain::Length;
use crate::intake::media::{EditPart, TrackParams};
use crate::speech::samples::Samples;

/// The rates that are decoded.
const MIN_RATE: u32 = 8_000;
const MAX_RATE: u32 = 192_000;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// The most silence that bridges one gap, in seconds; a longer one is more than the rule about damage allows.
const MAX_GAP_SECONDS: u64 = 11;
/// The most sound of a page after a gap that is held until a page with a time follows, in seconds: more than 255 packets of
/// 20 ms.
const MAX_HELD_SECONDS: u64 = 6;
/// The longest padding behind the end that a stream states, in seconds: two large packets, or a page of Ogg.
const MAX_PADDING_SECONDS: u64 = 2;

/// The state that all links of a recording share.
pub(super) struct Shared {
    pub(super) measured: Length,
    pub(super) damage: Damage,
    pub(super) effort: Effort,
    /// The decoded time of the links before, in nanoseconds.
    pub(super) before: u128,
}

/// A track that is decoded.
pub(super) struct Link {
    decoder: Box<dyn Decode + Send>,
    splitter: Option<Splitter>,
    /// The played sound and its rate; the rate is 0 before the first sample.
    timeline: Timeline,
    resampler: Option<Resampler>,
    mono: Vec<f32>,
    edits: Vec<EditPart>,
    /// The decoded time of earlier streams, in nanoseconds.
    before: u128,
    /// True if the last packet was cut off, which is damage if another follows.
    is_cut: bool,
    pages: Pages,
    is_live: bool,
}

/// The positions that the pages of an Ogg stream state.
#[derive(Default)]
struct Pages {
    /// The position of the first sample.
    base: Option<u64>,
    /// The position at which the current page ends.
    end: Option<u64>,
    /// The sound of a page after a gap, until the length of the gap is known.
    after_gap: Option<Vec<f32>>,
}

impl Link {
    /// Begins a track. `is_live`: its sound is handed out as soon as can be.
    pub(super) fn new(params: &TrackParams, is_live: bool) -> Result<Self, Reason> {
        let mut decoder = decoder(params).map_err(reason)?;
        let splitter = Splitter::new(params);
        let mut timeline = Timeline::new(decoder.rate());
        if let Some(gapless) = decoder.begun() {
            begin(&mut timeline, gapless);
        }
        Ok(Self {
            decoder,
            splitter,
            timeline,
            resampler: None,
            mono: Vec::new(),
            edits: Vec::new(),
            before: 0,
            is_cut: false,
            pages: Pages::default(),
            is_live,
        })
    }

    /// Returns the decoded time, in nanoseconds, with what is not played.
    pub(super) fn decoded(&self) -> u128 {
        let here = u128::from(self.timeline.position()) * NANOS_PER_SECOND / u128::from(self.timeline.rate().max(1));
        self.before.saturating_add(here)
    }

    /// Plays `parts` alone.
    pub(super) fn edit(&mut self, parts: &[EditPart]) {
        self.edits = parts.to_vec();
        if self.timeline.rate() > 0 {
            self.timeline.edit(parts);
        }
    }

    /// Leaves out the first `nanos` nanoseconds.
    pub(super) fn delay(&mut self, nanos: u64) {
        // Opus states the same in its own head.
        if self.decoder.clock().is_none() {
            self.timeline.skip_nanos(nanos);
        }
    }

    /// Leaves out the last `nanos` nanoseconds of the last packet.
    pub(super) fn pad(&mut self, nanos: u64) {
        self.timeline.pad(nanos);
    }

    /// Takes a packet that is cut off.
    pub(super) fn cut(&mut self, shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        self.bridge_cut(shared, output)?;
        self.is_cut = true;
        Ok(())
    }

    /// Takes the next bytes of a stream, for [`Link::next`].
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let Some(splitter) = &mut self.splitter else { return Err(Reason::Codec) };
        splitter.push(bytes);
        Ok(())
    }

    /// Decodes the next frame of the bytes so far, or looks further for it. Returns `false` if there is none.
    pub(super) fn next(&mut self, shared: &mut Shared, output: &mut Vec<f32>) -> Result<bool, Reason> {
        let Some(mut splitter) = self.splitter.take() else { return Ok(false) };
        let unit = splitter.next();
        let result = match &unit {
            None => Ok(()),
            Some(Unit::Searched) => {
                shared.effort.search();
                Ok(())
            }
            Some(Unit::Frame(range)) => self.packet(splitter.bytes(range.clone()), shared, output),
            Some(Unit::Lost(samples)) => self.lose(*samples, shared, output),
        };
        self.splitter = Some(splitter);
        result.map(|()| unit.is_some())
    }

    /// Decodes a packet, and appends what is ready to `output`.
    pub(super) fn packet(&mut self, packet: &[u8], shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        self.bridge_cut(shared, output)?;
        self.mono.clear();
        let mut mono = std::mem::take(&mut self.mono);
        let result = self.decoder.decode(packet, &mut mono);
        shared.effort.packet(mono.len());
        if self.decoder.has_changed() {
            shared.effort.change(shared.before.saturating_add(self.decoded()))?;
        }
        match result {
            Ok(()) => {
                shared.damage.good();
                if let Some(gapless) = self.decoder.begun() {
                    self.begin_anew(gapless, output);
                }
                self.play(&mono, output)?;
            }
            Err(Undecoded::Packet) => {
                let lost = self.decoder.lost(Some(packet));
                self.bridge(1, lost, shared, output)?;
            }
            Err(other) => return Err(reason(other)),
        }
        self.mono = mono;
        Ok(())
    }

    /// Notes where the packets that follow end, as the page of an Ogg stream states it.
    pub(super) fn ends_at(
        &mut self,
        granule: u64,
        is_last: bool,
        is_after_gap: bool,
        shared: &mut Shared,
        output: &mut Vec<f32>,
    ) -> Result<(), Reason> {
        self.end_page(shared, output)?;
        let clock = self.decoder.clock().unwrap_or(self.decoder.rate());
        let position = u128::from(granule) * u128::from(self.decoder.rate()) / u128::from(clock.max(1));
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        let end = position.saturating_sub(self.pages.base.unwrap_or_default());
        if is_last && end > 0 {
            self.timeline.end_at(end);
        }
        self.pages.end = Some(position);
        if is_after_gap && self.pages.base.is_some() {
            self.pages.after_gap = Some(Vec::new());
        }
        Ok(())
    }

    /// Ends the page whose packets are decoded.
    fn end_page(&mut self, shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        let Some(end) = self.pages.end.take() else { return Ok(()) };
        let Some(base) = self.pages.base else {
            // The first page: a recording of something that goes on begins later than zero.
            self.pages.base = Some(end.saturating_sub(self.timeline.position()));
            return Ok(());
        };
        let Some(held) = self.pages.after_gap.take() else { return Ok(()) };
        let played = self.timeline.position().saturating_add(u64::try_from(held.len()).unwrap_or(u64::MAX));
        let missing = end.saturating_sub(base).saturating_sub(played);
        self.lose(missing, shared, output)?;
        self.play(&held, output)
    }

    /// Bridges a stretch of samples that is missing.
    fn lose(&mut self, samples: u64, shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        let packets = samples.checked_div(self.decoder.lost(None)).unwrap_or_default().max(1);
        if samples > 0 { self.bridge(packets, samples, shared, output) } else { Ok(()) }
    }

    fn bridge_cut(&mut self, shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        if !std::mem::take(&mut self.is_cut) {
            return Ok(());
        }
        let lost = self.decoder.lost(None);
        self.bridge(1, lost, shared, output)
    }

    /// Puts silence in the place of damaged packets.
    fn bridge(&mut self, packets: u64, samples: u64, shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        let rate = self.decoder.rate();
        let length = samples.saturating_mul(Samples::RATE.into()).checked_div(rate.into()).unwrap_or_default();
        shared.damage.bad(packets, Samples::new(length), shared.measured)?;
        let bounded = samples.min(u64::from(rate).saturating_mul(MAX_GAP_SECONDS));
        let silence = vec![0.0; usize::try_from(bounded).unwrap_or_default()];
        self.play(&silence, output)
    }

    /// Plays samples at the decoder's rate.
    fn play(&mut self, mono: &[f32], output: &mut Vec<f32>) -> Result<(), Reason> {
        if mono.is_empty() {
            return Ok(());
        }
        let rate = self.decoder.rate();
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(Reason::Rate { rate });
        }
        if let Some(held) = &mut self.pages.after_gap {
            // A page with a time follows within a second or so.
            let max = usize::try_from(u64::from(rate).saturating_mul(MAX_HELD_SECONDS)).unwrap_or(usize::MAX);
            if held.len().saturating_add(mono.len()) > max {
                return Err(Reason::Feature("has pages without times after a gap"));
            }
            held.extend_from_slice(mono);
            return Ok(());
        }
        if self.timeline.rate() != rate {
            self.change_rate(rate, output);
        }
        if self.resampler.is_none() {
            let resampler = if self.is_live { Resampler::prompt(rate) } else { Resampler::new(rate) };
            self.resampler = Some(resampler.ok_or(Reason::Rate { rate })?);
        }
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        self.timeline.push(mono, |samples| resampler.push(samples, output));
        // A stream that goes on behind the end that it states would lose sound without a word.
        if self.timeline.beyond_end() > u64::from(rate).saturating_mul(MAX_PADDING_SECONDS) {
            return Err(Reason::Feature("goes on behind the end that it states"));
        }
        Ok(())
    }

    /// Goes on at another rate. What is known of the stream's parts stays true.
    fn change_rate(&mut self, rate: u32, output: &mut Vec<f32>) {
        self.flush(output);
        self.timeline = self.timeline.at_rate(rate);
        if self.timeline.position() == 0 {
            self.timeline.edit(&self.edits);
        }
    }

    /// Ends the stream so far, and begins another with a frame that holds no sound. Measuring counts that frame.
    fn begin_anew(&mut self, gapless: Gapless, output: &mut Vec<f32>) {
        if self.timeline.position() > 0 {
            self.before = self.decoded();
            self.flush(output);
            self.timeline = Timeline::new(self.decoder.rate());
        }
        self.before = self.before.saturating_add(gapless.silent_nanos.into());
        begin(&mut self.timeline, gapless);
    }

    fn flush(&mut self, output: &mut Vec<f32>) {
        if let Some(mut resampler) = self.resampler.take() {
            self.timeline.finish(|samples| resampler.push(samples, output));
            resampler.finish(output);
        }
    }

    /// Plays what is held of a stream that is not divided into packets, and so has no padding at its end.
    pub(super) fn play_stream(&mut self, output: &mut Vec<f32>) {
        if let (Some(_), Some(resampler)) = (&self.splitter, &mut self.resampler) {
            self.timeline.finish(|samples| resampler.push(samples, output));
        }
    }

    /// Gives back the memory that nothing needs until more packets come.
    pub(super) fn trim(&mut self) {
        self.mono = Vec::new();
        self.decoder.trim();
        self.timeline.trim();
        if let Some(splitter) = &mut self.splitter {
            splitter.trim();
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.trim();
        }
    }

    /// Tells the splitter that no more bytes come; frames may still be left for [`Link::next`].
    pub(super) fn end_stream(&mut self) {
        if let Some(splitter) = &mut self.splitter {
            splitter.end();
        }
    }

    /// Ends the link. Packets that are cut off at its end are dropped.
    pub(super) fn finish(mut self, shared: &mut Shared, output: &mut Vec<f32>) -> Result<(), Reason> {
        self.end_page(shared, output)?;
        self.flush(output);
        shared.before = shared.before.saturating_add(self.decoded());
        Ok(())
    }
}

fn begin(timeline: &mut Timeline, gapless: Gapless) {
    timeline.skip(gapless.skip);
    if let Some(end) = gapless.end {
        timeline.end_at(end);
    }
}

fn reason(undecoded: Undecoded) -> Reason {
    match undecoded {
        Undecoded::Packet | Undecoded::Codec => Reason::Codec,
        Undecoded::Feature(what) => Reason::Feature(what),
    }
}
