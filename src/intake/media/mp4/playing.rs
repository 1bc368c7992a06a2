//! The packets of one list of samples, a few at each call.

use std::io::{Read, Seek};

use super::movie::Track;
use super::pending::Queue;
use super::read_buffer::ReadBuffer;
use super::tables::{Run, Samples};
use crate::intake::media::demux::{PacketSink, TrackId};
use crate::intake::media::{Container, MediaError};

/// The number of bytes read at once where samples are consecutive.
const AHEAD: usize = 32 * 1024;
/// The number of bytes of PCM that make a packet here.
const PCM_PIECE: u64 = 32 * 1024;
/// The number of bytes after which a call returns.
const MAX_AT_ONCE: u64 = 32 * 1024;
/// The size from which a sample is no packet.
const MAX_PACKET: u64 = 2 * 1024 * 1024;
/// The number of runs of samples, empty ones among them, after which a call returns.
const MAX_RUNS: u32 = 32;

/// A list of samples that is played.
pub(super) struct Playing {
    id: TrackId,
    /// The size of a frame of PCM; 0 for every other codec.
    pcm_frame: u64,
    list: List,
    buffer: ReadBuffer,
    /// The packets left of the current run.
    run: Option<Run>,
    packet: Option<Packet>,
    /// The number of bytes played.
    played: u64,
}

enum List {
    Behind(Queue),
    Tables(Box<Samples>),
}

/// A packet that is handed on, `seen` bytes of it so far.
struct Packet {
    at: u64,
    size: u64,
    seen: u64,
}

impl Playing {
    /// Begins with the samples that the tables of `track` list.
    pub(super) fn tables(track: &Track, samples: Samples) -> Self {
        Self::new(track, List::Tables(Box::new(samples)))
    }

    /// Begins with the samples of fragments of `track` whose bytes had passed when they were listed.
    pub(super) fn behind(track: &Track, queue: Queue) -> Self {
        Self::new(track, List::Behind(queue))
    }

    fn new(track: &Track, list: List) -> Self {
        let (id, pcm_frame) = (track.counted, track.description.pcm_frame);
        Self { id, pcm_frame, list, buffer: ReadBuffer::new(AHEAD), run: None, packet: None, played: 0 }
    }

    /// Hands the next packets of the file, which has `bytes` bytes, to `sink`. Returns `false` at the end of the list. After
    /// an error of the source it can be called again.
    pub(super) fn advance<S: Read + Seek>(
        &mut self,
        source: &mut S,
        bytes: u64,
        sink: &mut dyn PacketSink,
    ) -> Result<bool, MediaError> {
        let mut shown = 0;
        for _ in 0..MAX_RUNS {
            if shown >= MAX_AT_ONCE {
                break;
            }
            if self.packet.is_none() {
                let Some(run) = self.next_run(source)? else { return Ok(false) };
                let left = bytes.saturating_sub(run.at);
                if run.size == 0 || run.count == 0 || left == 0 {
                    continue;
                }
                let (stated, rest) = self.first_packet(run);
                let size = stated.min(left);
                self.played = self.played.saturating_add(size);
                if self.played > bytes {
                    return Err(MediaError::Overlapping { container: Container::Mp4 });
                }
                self.run = Some(rest).filter(|rest| rest.count > 0);
                self.packet = Some(Packet { at: run.at, size, seen: 0 });
                sink.begin(self.id, stated, None);
            }
            shown += self.hand_on(source, sink)?;
        }
        Ok(true)
    }

    /// Returns the size of the first packet of `run`, and the run after it. The samples of a run of PCM are consecutive, and
    /// of any size: any number of their frames is a packet.
    fn first_packet(&self, run: Run) -> (u64, Run) {
        let frame = self.pcm_frame;
        if frame == 0 {
            return (run.size, run.part(1, u64::MAX));
        }
        let all = run.size.saturating_mul(run.count);
        let size = (PCM_PIECE / frame).max(1).saturating_mul(frame).min(all);
        let rest = all.saturating_sub(size);
        (size, Run { at: run.at.saturating_add(size), size: rest, count: u64::from(rest > 0), ..run })
    }

    fn next_run<S: Read + Seek>(&mut self, source: &mut S) -> Result<Option<Run>, MediaError> {
        if let Some(run) = self.run.take() {
            return Ok(Some(run));
        }
        match &mut self.list {
            List::Behind(queue) => {
                let next = queue.next(false);
                Ok(next.map(|(at, end)| Run { at, size: end.saturating_sub(at), count: 1, time: 0, step: 0 }))
            }
            List::Tables(samples) => samples.next(source),
        }
    }

    /// Hands on the rest of the current packet, and returns its size.
    fn hand_on<S: Read + Seek>(&mut self, source: &mut S, sink: &mut dyn PacketSink) -> Result<u64, MediaError> {
        let Some(packet) = &mut self.packet else { return Ok(0) };
        if packet.size > MAX_PACKET && self.pcm_frame == 0 {
            sink.unseen(self.id, packet.size);
        } else {
            while packet.seen < packet.size {
                let more = usize::try_from(packet.size - packet.seen).unwrap_or(usize::MAX);
                let bytes = self.buffer.bytes(source, packet.at.saturating_add(packet.seen), more)?;
                if bytes.is_empty() {
                    break;
                }
                sink.bytes(self.id, bytes);
                packet.seen += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            }
        }
        sink.end(self.id);
        let size = packet.size;
        self.packet = None;
        Ok(size)
    }
}
