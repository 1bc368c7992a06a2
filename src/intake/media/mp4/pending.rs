//! Samples of a track that a fragment has listed and that have not arrived yet.

use std::collections::VecDeque;

use super::super::codec::Wants;
use super::super::demux::PacketSink;
use super::movie::Track;

/// A run of consecutive samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Samples {
    pub(super) at: u64,
    pub(super) count: u32,
    /// The size of each sample if all sizes are equal; otherwise `add_size` adds the sizes one by one.
    pub(super) size: Option<u32>,
}

/// A list of samples in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    runs: VecDeque<Samples>,
    /// The sizes in groups of seven bits, lowest group first. The last group of a size has its eighth bit clear.
    sizes: VecDeque<u8>,
    /// The end of the last sample pushed.
    ends: u64,
}

/// The samples of a track that have not arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    queue: Queue,
    /// Samples whose bytes had already passed when a fragment listed them, or that are listed twice.
    behind: Queue,
    current: Option<Current>,
    /// The end of the last sample that has arrived.
    done: u64,
}

/// The next sample, or the sample that is arriving.
#[derive(Debug, Clone, Copy)]
struct Current {
    begins: u64,
    ends: u64,
    /// The end of the part that has arrived.
    next: u64,
    /// The end of the part that its clock has to see; `None` before the sample begins.
    seen_until: Option<u64>,
}

impl Queue {
    /// Adds the size of the next sample, and returns the number of bytes that the entry takes.
    pub(super) fn add_size(&mut self, mut size: u32) -> usize {
        let before = self.sizes.len();
        loop {
            let group = u8::try_from(size & 0x7f).unwrap_or_default();
            size >>= 7;
            self.sizes.push_back(group | if size > 0 { 0x80 } else { 0 });
            if size == 0 {
                return self.sizes.len() - before;
            }
        }
    }

    fn take_size(&mut self) -> Option<u32> {
        let mut size = 0;
        for place in 0..5 {
            let group = self.sizes.pop_front()?;
            size |= u32::from(group & 0x7f) << (7 * place);
            if group & 0x80 == 0 {
                break;
            }
        }
        Some(size)
    }

    /// Returns the start and the end of the next sample, or of all samples of a run if they are `alike`.
    pub(super) fn next(&mut self, alike: bool) -> Option<(u64, u64)> {
        loop {
            let run = *self.runs.front()?;
            let size = match run.size {
                _ if run.count == 0 => 0,
                Some(size) if alike => u64::from(size).saturating_mul(run.count.into()),
                Some(size) => size.into(),
                // No size is left while the list is still being read.
                None => self.take_size()?.into(),
            };
            let run = self.runs.front_mut()?;
            let (begins, ends) = (run.at, run.at.saturating_add(size));
            run.at = ends;
            run.count = if alike && run.size.is_some() { 0 } else { run.count.saturating_sub(1) };
            if run.count == 0 {
                self.runs.pop_front();
            }
            if size > 0 {
                return Some((begins, ends));
            }
        }
    }

    /// Appends a sample.
    fn push(&mut self, at: u64, size: u64) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        match self.runs.back_mut() {
            Some(run) if run.size.is_none() && self.ends == at => run.count = run.count.saturating_add(1),
            _ => self.runs.push_back(Samples { at, count: 1, size: None }),
        }
        self.ends = at.saturating_add(size.into());
        self.add_size(size);
    }
}

impl Pending {
    pub(super) fn add(&mut self, samples: Samples) {
        self.queue.runs.push_back(samples);
    }

    pub(super) fn add_size(&mut self, size: u32) -> usize {
        self.queue.add_size(size)
    }

    pub(super) fn runs(&self) -> usize {
        self.queue.runs.len() + self.behind.runs.len()
    }

    pub(super) fn held(&self) -> usize {
        self.queue.sizes.len() + self.behind.sizes.len()
    }

    /// Takes the samples that lie in bytes that have already passed.
    pub(super) fn take_behind(&mut self) -> Queue {
        std::mem::take(&mut self.behind)
    }

    /// Returns the offset of the next byte that matters.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.current.map(|current| current.next).or_else(|| self.queue.runs.front().map(|run| run.at))
    }

    /// Processes `bytes`, which begin at offset `at`.
    pub(super) fn show(&mut self, track: &Track, at: u64, bytes: &[u8], sink: &mut dyn PacketSink) {
        let shown_until = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let pcm_frame = track.description.pcm_frame;
        while let Some(mut current) = self.current.take().or_else(|| self.queue.next(pcm_frame > 0).map(Current::new)) {
            if current.next >= shown_until {
                self.current = Some(current);
                break;
            }
            if current.next < at || current.next < self.done {
                self.behind.push(current.begins, current.ends - current.begins);
                continue;
            }
            let until = current.ends.min(shown_until);
            if pcm_frame > 0 {
                current.show_pcm(track, pcm_frame, until, sink);
            } else {
                let from = usize::try_from(current.next - at).unwrap_or(usize::MAX);
                current.show(track, until, bytes.get(from..).unwrap_or_default(), sink);
            }
            self.done = until;
            if until < current.ends {
                self.current = Some(current);
                break;
            }
            if pcm_frame == 0 {
                sink.end(track.counted);
            }
        }
    }

    /// Closes the current sample at the end of the file.
    pub(super) fn finish(&mut self, track: &Track, sink: &mut dyn PacketSink) {
        if self.current.take().is_some_and(|current| current.seen_until.is_some()) {
            sink.end(track.counted);
        }
        self.queue = Queue::default();
    }
}

impl Current {
    fn new((begins, ends): (u64, u64)) -> Self {
        Self { begins, ends, next: begins, seen_until: None }
    }

    /// Processes the sample up to `until`: `bytes`, and any bytes after them unseen.
    fn show(&mut self, track: &Track, until: u64, bytes: &[u8], sink: &mut dyn PacketSink) {
        let begins = self.begins;
        let size = self.ends - begins;
        let seen_until = *self.seen_until.get_or_insert_with(|| match sink.begin(track.counted, size, None) {
            Wants::Nothing => begins,
            Wants::First(count) => begins.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)),
            Wants::Everything => u64::MAX,
        });
        let seen = seen_until.min(until).saturating_sub(self.next);
        let bytes = usize::try_from(seen).ok().and_then(|seen| bytes.get(..seen)).unwrap_or(bytes);
        if seen > 0 {
            sink.bytes(track.counted, bytes);
        }
        let unseen = (until - self.next).saturating_sub(seen);
        if unseen > 0 {
            sink.unseen(track.counted, unseen);
        }
        self.next = until;
    }

    /// Processes a run of PCM up to `until`. Any number of whole samples is a packet; a sample that is cut off does not count.
    fn show_pcm(&mut self, track: &Track, frame: u64, until: u64, sink: &mut dyn PacketSink) {
        let whole = |until: u64| (until - self.begins) / frame;
        let bytes = (whole(until) - whole(self.next)).saturating_mul(frame);
        if bytes > 0 {
            sink.begin(track.counted, bytes, None);
            sink.unseen(track.counted, bytes);
            sink.end(track.counted);
        }
        self.next = until;
    }
}
