//! WAV: RIFF, RF64 and BW64. The `data` chunks, in order, are the sound.
//!
//! RIFF is Microsoft's "Multimedia Programming Interface", RF64 and BW64 are EBU Tech 3306 and ITU-R BS.2088. After one `data`
//! chunk a decoder looks for the next, so all of them count. If a `data` chunk states too small a size, the bytes after it are
//! no chunk; they count as sound too.

mod claim;
mod format;

use super::super::codec::{TrackParams, Wants, suspicion, table};
use super::super::{Container, MediaError};
use super::{Demuxer, PacketSink, Step, TrackId};
use format::{CHUNK_HEADER, MAX_FORMAT, RIFF_HEADER, stated_bytes};

pub(in super::super) use claim::claim;

/// The number of bytes of declared PCM to probe: decoders probe 32 pieces of it.
const PROBED: usize = 128 * 1024;
/// The size of a probed piece, except in formats with larger blocks.
const MAX_PIECE: u32 = 4096;
/// The largest chunk of a live recording that is no sound.
const MAX_LIVE_CHUNK: u64 = 1024 * 1024;
/// The error for chunks that some players find and others do not.
const TWO_WALKS: MediaError = MediaError::Feature {
    container: Container::Wav,
    what: "has sound between its chunks, which some players find and others do not",
};
const TRACK: TrackId = TrackId(0);
/// The track that counts declared PCM as the codec that it looks like.
const LOOKS_LIKE: TrackId = TrackId(1);

/// A demuxer for WAV.
#[derive(Clone)]
pub(in super::super) struct Wav {
    state: State,
    /// True for RF64 and BW64, which have a `ds64`.
    is_large: bool,
    /// The size of the sound in `ds64`, for sizes that 32 bits cannot hold.
    data_size: Option<u64>,
    /// The offset of the next chunk after the sound in players that skip no padding after the sound and pad chunks by their
    /// offset (ffmpeg's `find_tag`).
    unpadded: Option<u64>,
    format: Option<TrackParams>,
    /// The number of bytes of sound so far.
    sound: u64,
    /// True if the sound also counts as the codec that it looks like.
    suspected: bool,
    declared_pcm: DeclaredPcm,
    /// The offset of the WAV in its file.
    start: u64,
    /// The offset of the window; `size` is the size of the whole recording, if known.
    position: u64,
    size: Option<u64>,
}

/// What is thought of PCM by its declaration, which players may decode as the codec that it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeclaredPcm {
    /// It is probed, and measured as that codec too.
    Probed,
    /// It is refused if it could be another codec, without a closer look.
    PlainOnly,
    /// It is believed at once: the recording is live, and nobody but this process decodes it.
    Believed,
}

#[derive(Clone, Copy)]
enum State {
    Riff,
    Chunk,
    /// Bytes to skip that are not sound; `left` remain.
    PassOver {
        left: u64,
    },
    /// The bytes of a `data` chunk: `left` remain, and `seen` are processed.
    Data {
        left: u64,
        padded: bool,
        wants: Wants,
        seen: u64,
    },
    /// Declared PCM to probe before it is believed.
    Probe {
        size: u64,
        padded: bool,
    },
}

impl Wav {
    /// Creates a demuxer. `size` is the size of the whole recording, if known.
    pub(in super::super) fn new(size: Option<u64>) -> Self {
        Self {
            state: State::Riff,
            is_large: false,
            data_size: None,
            unpadded: None,
            format: None,
            sound: 0,
            suspected: false,
            declared_pcm: DeclaredPcm::Probed,
            start: 0,
            position: 0,
            size,
        }
    }

    /// Sets the offset of the recording in its file.
    pub(in super::super) fn starting_at(self, start: u64) -> Self {
        Self { start, ..self }
    }

    /// Makes the demuxer refuse declared PCM that could be another codec, instead of following that codec's frames.
    pub(in super::super) fn plain_only(self) -> Self {
        Self { declared_pcm: DeclaredPcm::PlainOnly, ..self }
    }

    /// Creates a demuxer of a recording that is live. Bytes that cannot belong to it are refused.
    pub(in super::super) fn live() -> Self {
        Self { declared_pcm: DeclaredPcm::Believed, ..Self::new(None) }
    }

    fn chunk(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let Some(header) = window.first_chunk::<CHUNK_HEADER>() else {
            return Ok(if at_end { Step::End } else { Step::Need(CHUNK_HEADER) });
        };
        let &[a, b, c, d, s0, s1, s2, s3] = header;
        let id = [a, b, c, d];
        let stated = u32::from_le_bytes([s0, s1, s2, s3]);
        let size = u64::from(stated);
        let padded = stated % 2 == 1;
        match &id {
            b"data" => {
                let size = stated_bytes(self.data_size, stated).unwrap_or(u64::MAX);
                // A chunk that states more bytes than there are was cut off.
                let available =
                    self.size.map_or(u64::MAX, |whole| whole.saturating_sub(self.position).saturating_sub(8));
                self.data(size.min(available), padded && size <= available, sink)?;
                Ok(Step::Advance(8))
            }
            b"fmt " if self.format.is_none() => {
                let length = usize::try_from(stated).unwrap_or(usize::MAX).min(MAX_FORMAT);
                let whole = CHUNK_HEADER + length;
                match window.get(CHUNK_HEADER..whole) {
                    None if !at_end => return Ok(Step::Need(whole)),
                    fields => self.format = Some(format::parse(fields.unwrap_or_default())),
                }
                self.pass_over(8 + size + u64::from(padded), window, at_end)
            }
            b"ds64" if self.is_large && self.data_size.is_none() => {
                let Some(fields) = window.get(CHUNK_HEADER..CHUNK_HEADER + 16) else {
                    return Ok(if at_end { Step::End } else { Step::Need(CHUNK_HEADER + 16) });
                };
                self.data_size = fields.last_chunk().copied().map(u64::from_le_bytes);
                self.pass_over(8 + size + u64::from(padded), window, at_end)
            }
            // Some decoders prefer this chunk to the format after it.
            b"XMA2" if self.format.is_none() => {
                Err(MediaError::Codec { container: Container::Wav, codec: table::XMA2.name().to_owned() })
            }
            _ if self.is_live() && self.sound == 0 && !self.is_chunk(id, size) => Err(MediaError::Feature {
                container: Container::Wav,
                what: "has bytes before its sound that are no chunk",
            }),
            // Bytes after the sound that are no chunk are more sound than the header stated.
            _ if self.sound > 0 && !self.is_chunk(id, size) => {
                // Padding is not sound.
                if let Some(padding) = padding(*header, window) {
                    return self.pass_over(padding, window, at_end);
                }
                let available = self.size.map_or(u64::MAX, |whole| whole.saturating_sub(self.position));
                self.data(available, false, sink)?;
                self.data_bytes(window, at_end, sink)
            }
            _ => self.pass_over(8 + size + u64::from(padded), window, at_end),
        }
    }

    fn is_live(&self) -> bool {
        self.declared_pcm == DeclaredPcm::Believed
    }

    fn is_plain_only(&self) -> bool {
        self.declared_pcm == DeclaredPcm::PlainOnly
    }

    /// Returns true if a chunk may begin with this id and size.
    fn is_chunk(&self, id: [u8; 4], size: u64) -> bool {
        id.iter().all(|byte| (b' '..=b'~').contains(byte)) && !(self.is_live() && size > MAX_LIVE_CHUNK)
    }

    /// Skips `left` bytes, and searches them for sound at the offsets where other players look for the next chunk.
    fn pass_over(&mut self, mut left: u64, window: &[u8], at_end: bool) -> Result<Step, MediaError> {
        if let Some(at) = self.unpadded
            && let ahead = at.saturating_sub(self.position)
            && ahead < left
        {
            if ahead > 0 {
                left -= ahead;
                self.state = State::PassOver { left };
                return Ok(Step::Advance(ahead));
            }
            self.state = State::PassOver { left };
            let Some(&[a, b, c, d, s0, s1, s2, s3]) = window.first_chunk::<CHUNK_HEADER>() else {
                self.unpadded = None;
                return Ok(if at_end { Step::Advance(left) } else { Step::Need(CHUNK_HEADER) });
            };
            if &[a, b, c, d] == b"data" {
                return Err(TWO_WALKS);
            }
            let size = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
            self.unpadded = Some(at + 8 + size + (size + self.start) % 2);
            return self.pass_over(left, window, at_end);
        }
        self.state = State::Chunk;
        Ok(Step::Advance(left))
    }

    /// Begins a `data` chunk of `size` bytes.
    fn data(&mut self, size: u64, padded: bool, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        let is_the_rest = self.size.is_none_or(|whole| self.position.saturating_add(size).saturating_add(8) >= whole);
        if self.unpadded.is_some_and(|at| at != self.position) && !is_the_rest {
            return Err(TWO_WALKS);
        }
        self.unpadded = None;
        let Some(format) = &self.format else {
            return Err(MediaError::Unfinished { container: Container::Wav, missing: "its format (fmt) is missing" });
        };
        if self.sound == 0 {
            sink.track(TRACK, format)?;
            if !self.is_live() && format.codec.as_ref().is_ok_and(|codec| table::PLAIN_PCM.contains(codec)) {
                self.state = State::Probe { size, padded };
                return Ok(());
            }
        }
        self.begin(size, padded, sink);
        Ok(())
    }

    fn begin(&mut self, size: u64, padded: bool, sink: &mut dyn PacketSink) {
        let mut wants = sink.begin(TRACK, size, None);
        if self.suspected {
            wants = Wants::Everything;
            sink.begin(LOOKS_LIKE, size, None);
        }
        self.state = State::Data { left: size, padded, wants, seen: 0 };
    }

    /// Probes declared PCM, since decoders play it as the codec that it looks like.
    fn probe(
        &mut self,
        (size, padded): (u64, bool),
        window: &[u8],
        at_end: bool,
        sink: &mut dyn PacketSink,
    ) -> Result<Step, MediaError> {
        let wanted = usize::try_from(size).unwrap_or(usize::MAX).min(PROBED);
        if window.len() < wanted && !at_end {
            return Ok(Step::Need(wanted));
        }
        let beginning = window.get(..wanted).unwrap_or(window);
        if let Some(format) = &self.format {
            // S/PDIF plays from samples of any size, frames only from 16-bit samples. With large blocks, decoders probe beyond
            // this beginning, so it does not settle the codec.
            let is_plain = format.codec == Ok(table::PCM_S16LE);
            if self.is_plain_only() && is_plain && !suspicion::is_plain(beginning) {
                return Err(MediaError::NoSound { container: Container::Wav });
            }
            let looks_like = match () {
                () if !is_plain => suspicion::is_s_pdif(beginning).then_some(table::IEC_61937),
                () if format.block_bytes > MAX_PIECE => {
                    Some(suspicion::suspected_codec(beginning).unwrap_or(table::DISGUISED))
                }
                // It was searched above.
                () if self.is_plain_only() => None,
                () => suspicion::suspected_codec(beginning),
            };
            if let Some(codec) = looks_like {
                sink.track(LOOKS_LIKE, &TrackParams { codec: Ok(codec), ..format.clone() })?;
                self.suspected = true;
            }
        }
        self.begin(size, padded, sink);
        self.data_bytes(window, at_end, sink)
    }

    /// Continues within a `data` chunk.
    fn data_bytes(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let State::Data { left, padded, wants, seen } = &mut self.state else { return Ok(Step::End) };
        let shown = length(window).min(*left);
        if shown == 0 {
            sink.end(TRACK);
            if self.suspected {
                sink.end(LOOKS_LIKE);
            }
            let padded = *padded;
            let padding = u64::from(padded && *left == 0);
            self.state = State::Chunk;
            self.unpadded = (padded || self.start % 2 == 1).then_some(self.position);
            return match padding {
                0 => self.chunk(window, at_end, sink),
                _ if window.is_empty() => Ok(Step::End),
                padding => self.pass_over(padding, window, at_end),
            };
        }
        let wanted = match *wants {
            Wants::Everything => shown,
            Wants::First(count) => shown.min(u64::try_from(count).unwrap_or(u64::MAX).saturating_sub(*seen)),
            Wants::Nothing => 0,
        };
        if let Some(bytes) = usize::try_from(wanted).ok().and_then(|wanted| window.get(..wanted))
            && wanted > 0
        {
            sink.bytes(TRACK, bytes);
            if self.suspected {
                sink.bytes(LOOKS_LIKE, bytes);
            }
        }
        // Bytes that need not be shown are not read either, if they are known to exist.
        let available = self.size.map_or(shown, |size| size.saturating_sub(self.position).min(*left).max(shown));
        let count = if *wants == Wants::Everything { shown } else { available };
        if count > wanted {
            sink.unseen(TRACK, count - wanted);
        }
        *seen = seen.saturating_add(count);
        *left -= count;
        self.sound = self.sound.saturating_add(count);
        Ok(Step::Advance(count))
    }
}

impl Demuxer for Wav {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let step = self.next(window, at_end, sink)?;
        if let Step::Advance(count) = step {
            self.position = self.position.saturating_add(count);
        }
        Ok(step)
    }
}

impl Wav {
    fn next(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        match self.state {
            State::Riff if window.len() < RIFF_HEADER && !at_end => Ok(Step::Need(RIFF_HEADER)),
            State::Riff => {
                self.state = State::Chunk;
                self.is_large = !window.starts_with(b"RIFF");
                Ok(Step::Advance(12))
            }
            State::Chunk => self.chunk(window, at_end, sink),
            State::PassOver { left } => self.pass_over(left, window, at_end),
            State::Data { .. } => self.data_bytes(window, at_end, sink),
            State::Probe { size, padded } => self.probe((size, padded), window, at_end, sink),
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Returns the length of the run of zeros or of 0xff at the start of `window`, if the whole header is part of it.
fn padding(header: [u8; CHUNK_HEADER], window: &[u8]) -> Option<u64> {
    let filler = [0, 0xff].into_iter().find(|filler| header.iter().all(|byte| byte == filler))?;
    u64::try_from(window.iter().take_while(|&&byte| byte == filler).count()).ok()
}
