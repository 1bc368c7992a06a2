//! Resampling to 16 kHz.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, Fft, FixedAsync, FixedSync, Indexing, Resampler as Resampling, SincInterpolationParameters,
    SincInterpolationType, WindowFunction,
};

use crate::speech::samples::Samples;

/// The number of input samples that are transformed at once; for rates of [`HIGH_RATE`] and more the larger number, so that
/// the filter stays as steep.
const CHUNK: usize = 1024;
const HIGH_CHUNK: usize = 4096;
const HIGH_RATE: u32 = 88_200;
/// The number of times a second that a resampler which is prompt transforms what has come. Below 16 kHz it is half as often,
/// since the filter must be steeper where the band ends within speech.
const PROMPT: u32 = 50;
/// The largest block, in samples, that is transformed at once. Every usual rate has blocks of 441 or fewer.
const MAX_BLOCK: usize = 4096;

/// A resampler from one rate to 16 kHz: as many samples as the time takes, without delay.
pub(super) struct Resampler {
    rate: u32,
    /// `None` if the rate is 16 kHz already.
    filter: Option<Box<Filter>>,
    /// The number of samples taken and given.
    taken: u64,
    given: u64,
}

struct Filter {
    resampling: Box<dyn Resampling<f32> + Send>,
    /// Samples that wait until there are enough of them.
    waiting: Vec<f32>,
    output: Vec<f32>,
    /// The number of samples still to drop: the delay of the filter.
    delay: usize,
}

impl Resampler {
    /// Creates a resampler; `None` for a rate that has none.
    pub(super) fn new(rate: u32) -> Option<Self> {
        Self::with(rate, if rate >= HIGH_RATE { HIGH_CHUNK } else { CHUNK })
    }

    /// Creates a resampler that holds little of the sound back, whatever the rate, and little memory.
    pub(super) fn prompt(rate: u32) -> Option<Self> {
        let chunk = if rate < Samples::RATE { rate.saturating_mul(2) } else { rate } / PROMPT;
        if rate >= HIGH_RATE { Self::new(rate) } else { Self::with(rate, chunk.try_into().ok()?) }
    }

    fn with(rate: u32, chunk: usize) -> Option<Self> {
        let filter = if rate == Samples::RATE { None } else { Some(Box::new(Filter::new(rate, chunk)?)) };
        Some(Self { rate, filter, taken: 0, given: 0 })
    }

    /// Resamples `samples` and appends what is ready to `output`.
    pub(super) fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) {
        self.taken = self.taken.saturating_add(count(samples.len()));
        let before = output.len();
        match &mut self.filter {
            None => output.extend_from_slice(samples),
            Some(filter) => filter.push(samples, output),
        }
        self.given = self.given.saturating_add(count(output.len() - before));
    }

    /// Gives back the memory that nothing needs until more samples come.
    pub(super) fn trim(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.waiting.shrink_to_fit();
            filter.output = Vec::new();
        }
    }

    /// Appends the rest to `output`.
    pub(super) fn finish(mut self, output: &mut Vec<f32>) {
        let whole = u128::from(self.taken) * u128::from(Samples::RATE);
        let whole = u64::try_from(whole.div_ceil(u128::from(self.rate.max(1)))).unwrap_or(u64::MAX);
        let Some(filter) = &mut self.filter else { return };
        let missing = usize::try_from(whole.saturating_sub(self.given)).unwrap_or_default();
        let until = output.len().saturating_add(missing);
        while output.len() < until {
            if !filter.flush(output) {
                break;
            }
        }
        output.truncate(until);
    }
}

impl Filter {
    fn new(rate: u32, min: usize) -> Option<Self> {
        let resampling = match even_chunk(rate, min) {
            Some(chunk) => by_blocks(rate, chunk)?,
            None => by_points(rate)?,
        };
        let delay = resampling.output_delay();
        let output = vec![0.0; resampling.output_frames_max()];
        Some(Self { resampling, waiting: Vec::new(), output, delay })
    }

    fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend_from_slice(samples);
        let mut used = 0_usize;
        loop {
            let needed = self.resampling.input_frames_next();
            let Some(chunk) = waiting.get(used..used.saturating_add(needed)) else { break };
            self.process(chunk, None, output);
            used += needed.max(1);
        }
        waiting.drain(..used.min(waiting.len()));
        self.waiting = waiting;
    }

    /// Resamples what waits, and silence after it. Returns `false` if nothing came out.
    fn flush(&mut self, output: &mut Vec<f32>) -> bool {
        let mut waiting = std::mem::take(&mut self.waiting);
        let valid = waiting.len();
        waiting.resize(self.resampling.input_frames_next(), 0.0);
        self.process(&waiting, Some(valid), output)
    }

    fn process(&mut self, chunk: &[f32], valid: Option<usize>, output: &mut Vec<f32>) -> bool {
        let room = self.resampling.output_frames_next();
        self.output.resize(room, 0.0);
        let Ok(from) = InterleavedSlice::new(chunk, 1, chunk.len()) else { return false };
        let Ok(mut to) = InterleavedSlice::new_mut(&mut self.output, 1, room) else { return false };
        let indexing = Indexing { input_offset: 0, output_offset: 0, partial_len: valid, active_channels_mask: None };
        let Ok((_, made)) = self.resampling.process_into_buffer(&from, &mut to, Some(&indexing)) else { return false };
        let dropped = self.delay.min(made);
        self.delay -= dropped;
        output.extend_from_slice(self.output.get(dropped..made).unwrap_or_default());
        true
    }
}

/// Returns the number of samples of an even number of the smallest blocks with a whole number of output samples, at least
/// `min`: the delay of the filter is half of it, a whole number of samples. `None` for a rate whose blocks are too large.
fn even_chunk(rate: u32, min: usize) -> Option<usize> {
    let (mut a, mut b) = (rate, Samples::RATE);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let block = usize::try_from(rate.checked_div(a)?).ok().filter(|block| (1..=MAX_BLOCK).contains(block))?;
    Some(block.saturating_mul(min.div_ceil(block).next_multiple_of(2)))
}

/// Returns a filter that transforms blocks of `chunk` samples: sharp and fast.
fn by_blocks(rate: u32, chunk: usize) -> Option<Box<dyn Resampling<f32> + Send>> {
    let [from, to] = [rate, Samples::RATE].map(|rate| usize::try_from(rate).unwrap_or_default());
    // One block for each chunk: smaller ones lose the upper part of speech.
    let fft = Fft::new_custom(from, to, chunk, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Input).ok()?;
    Some(Box::new(fft))
}

/// Returns a filter that computes each sample by itself, for odd rates: its memory does not depend on the rate.
fn by_points(rate: u32) -> Option<Box<dyn Resampling<f32> + Send>> {
    let parameters = SincInterpolationParameters {
        sinc_len: 128,
        f_cutoff: None,
        oversampling_factor: 256,
        interpolation: SincInterpolationType::Linear,
        window: WindowFunction::BlackmanHarris2,
    };
    let ratio = f64::from(Samples::RATE) / f64::from(rate);
    let sinc = Async::<f32>::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input).ok()?;
    Some(Box::new(sinc))
}

fn count(samples: usize) -> u64 {
    u64::try_from(samples).unwrap_or(u64::MAX)
}
