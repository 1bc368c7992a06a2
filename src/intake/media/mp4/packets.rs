//! The packets of one track in the order of time, a few at each call.

use std::io::{Read, Seek, SeekFrom};

use super::cursor::Peephole;
use super::edits;
use super::error::cut_off;
use super::movie::Track;
use super::pending::Queue;
use super::tables::{Run, Samples};
use super::walk::{Index, Mp4};
use crate::intake::media::demux::PacketSink;
use crate::intake::media::packets::collector::Collector;
use crate::intake::media::reader::{Reader, Stepped};
use crate::intake::media::{Container, MediaError};

/// The number of bytes read at once where samples are consecutive.
const AHEAD: usize = 32 * 1024;
/// The number of bytes of PCM that make a packet here.
const PCM_PIECE: u64 = 32 * 1024;
/// The number of bytes after which a call returns.
const MAX_AT_ONCE: u64 = 32 * 1024;
/// The size from which a sample is no packet.
const MAX_PACKET: u64 = 2 * 1024 * 1024;
/// The number of packets after which a call returns.
const MAX_PACKETS: u32 = 32;

/// A reader of the packets of one track.
pub(in crate::intake::media) struct Mp4Packets<S> {
    state: State<S>,
    bytes: u64,
    /// True once the edit list was handed on.
    edited: bool,
}

enum State<S> {
    /// On the way through the boxes of the file. `is_second`: the index may be in a box marked as free.
    Walk {
        reader: Reader<S>,
        walk: Box<Mp4>,
        is_second: bool,
    },
    Tables(Box<Playing<S>>),
    Ended,
}

/// A track that is played by its tables.
struct Playing<S> {
    source: S,
    track: Track,
    peephole: Peephole,
    /// Samples of fragments whose bytes had passed when they were listed.
    behind: Queue,
    samples: Option<Samples>,
    /// The packets left of the current run.
    run: Option<Run>,
    /// The number of bytes played.
    played: u64,
}

impl<S: Read + Seek> Mp4Packets<S> {
    pub(in crate::intake::media) fn new(source: S, bytes: u64) -> Result<Self, MediaError> {
        let state = State::Walk { reader: Reader::new(source, 0, bytes)?, walk: Box::default(), is_second: false };
        Ok(Self { state, bytes, edited: false })
    }

    /// Hands the next packets to `sink`. Returns `false` at the end.
    pub(in crate::intake::media) fn advance(&mut self, sink: &mut Collector) -> Result<bool, MediaError> {
        match &mut self.state {
            State::Walk { reader, walk, .. } => {
                let stepped = reader.step(walk.as_mut(), sink)?;
                if !self.edited && sink.has_packets() {
                    self.edited = true;
                    if let Some(track) = sink.selected().and_then(|id| walk.track(id)) {
                        let parts = reader.aside(|source| edits::parts(source, track))?;
                        sink.edits_first(parts);
                    }
                }
                if stepped == Stepped::Ended {
                    self.end_walk(sink)?;
                }
                Ok(true)
            }
            State::Tables(playing) => {
                if playing.advance(self.bytes, sink)? {
                    return Ok(true);
                }
                self.state = State::Ended;
                Ok(false)
            }
            State::Ended => Ok(false),
        }
    }

    fn end_walk(&mut self, sink: &mut Collector) -> Result<(), MediaError> {
        let State::Walk { reader, walk, is_second } = std::mem::replace(&mut self.state, State::Ended) else {
            return Ok(());
        };
        let mut source = reader.into_source();
        if walk.index() == Index::Missing {
            if is_second {
                return Err(MediaError::Unfinished {
                    container: Container::Mp4,
                    missing: "its index (moov) is missing",
                });
            }
            source.seek(SeekFrom::Start(0))?;
            let reader = Reader::new(source, 0, self.bytes)?;
            self.state = State::Walk { reader, walk: Box::new(Mp4::even_in_free()), is_second: true };
            return Ok(());
        }
        let (movie, mut fragments) = walk.into_parts();
        let Some((place, track)) = sink.selected().and_then(|id| movie.place(id)) else { return Err(cut_off()) };
        if !self.edited {
            self.edited = true;
            let parts = edits::parts(&mut source, &track)?;
            sink.edits_first(parts);
        }
        let behind = fragments.take_behind(place).unwrap_or_default();
        let samples = Samples::new(&mut source, &track, false)?;
        let peephole = Peephole::new(AHEAD);
        self.state =
            State::Tables(Box::new(Playing { source, track, peephole, behind, samples, run: None, played: 0 }));
        Ok(())
    }
}

impl<S: Read + Seek> Playing<S> {
    fn advance(&mut self, bytes: u64, sink: &mut Collector) -> Result<bool, MediaError> {
        let mut shown = 0;
        for _ in 0..MAX_PACKETS {
            if shown >= MAX_AT_ONCE {
                break;
            }
            let Some(run) = self.next_run()? else { return Ok(false) };
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
            self.packet(run.at, size, stated, sink)?;
            shown += size;
            self.run = Some(rest).filter(|rest| rest.count > 0);
        }
        Ok(true)
    }

    /// Returns the size of the first packet of `run`, and the run after it. The samples of a run of PCM are consecutive, and
    /// of any size: any number of their frames is a packet.
    fn first_packet(&self, run: Run) -> (u64, Run) {
        let frame = self.track.description.pcm_frame;
        if frame == 0 {
            return (run.size, run.part(1, u64::MAX));
        }
        let all = run.size.saturating_mul(run.count);
        let size = (PCM_PIECE / frame).max(1).saturating_mul(frame).min(all);
        let rest = all.saturating_sub(size);
        (size, Run { at: run.at.saturating_add(size), size: rest, count: u64::from(rest > 0), ..run })
    }

    fn next_run(&mut self) -> Result<Option<Run>, MediaError> {
        if let Some(run) = self.run.take() {
            return Ok(Some(run));
        }
        if let Some((at, end)) = self.behind.next(false) {
            return Ok(Some(Run { at, size: end.saturating_sub(at), count: 1, time: 0, step: 0 }));
        }
        match &mut self.samples {
            Some(samples) => samples.next(&mut self.source),
            None => Ok(None),
        }
    }

    /// Hands on one packet of `stated` bytes, of which the file has `size`.
    fn packet(&mut self, at: u64, size: u64, stated: u64, sink: &mut Collector) -> Result<(), MediaError> {
        let id = self.track.counted;
        if size > MAX_PACKET && self.track.description.pcm_frame == 0 {
            sink.begin(id, stated, None);
            sink.unseen(id, size);
            sink.end(id);
            return Ok(());
        }
        sink.begin(id, stated, None);
        let mut seen = 0;
        while seen < size {
            let more = usize::try_from(size - seen).unwrap_or(usize::MAX);
            let bytes = self.peephole.bytes(&mut self.source, at.saturating_add(seen), more)?;
            if bytes.is_empty() {
                break;
            }
            sink.bytes(id, bytes);
            seen += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        }
        sink.end(id);
        Ok(())
    }
}
