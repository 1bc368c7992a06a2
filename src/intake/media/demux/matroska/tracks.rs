//! Tracks: the content of a `TrackEntry`, and the encodings of its packets (RFC 9559 §5.1.4).

#[cfg(test)]
mod tests;

use super::ebml::{self, id};
use super::watch::to_u64;
#[cfg(test)]
use crate::intake::media::codec::Codec;
use crate::intake::media::codec::{TrackParams, tags};
use crate::intake::media::{Container, MediaError};

/// The maximum number of bytes kept of a track's private data. Longer data is cut off, except Vorbis headers, which lose
/// their comments instead.
pub(super) const MAX_SETUP: usize = 64 * 1024;

/// The maximum number of bytes that header stripping may remove from each packet.
pub(super) const MAX_STRIPPED: u64 = 4096;

/// An empty comment header (Vorbis I §5.2.1).
const NO_COMMENTS: &[u8] = b"\x03vorbis\0\0\0\0\0\0\0\0\x01";

/// A `TrackEntry` during reading, element by element.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    number: u64,
    codec_id: String,
    /// The length of the sound to skip at the beginning, in nanoseconds.
    delay: u64,
    pub(super) private: Private,
    audio: Audio,
    encodings: Vec<Encoding>,
}

/// The rate of a track that states none, or one that ffmpeg does not accept.
const DEFAULT_RATE: u32 = 8000;

#[derive(Debug, Clone)]
struct Audio {
    rate: u32,
    output_rate: u32,
    channels: u64,
    bits: u64,
}

impl Default for Audio {
    fn default() -> Self {
        Self { rate: DEFAULT_RATE, output_rate: 0, channels: 1, bits: 0 }
    }
}

/// A `ContentEncoding`. Its default is compression of packets with zlib.
#[derive(Debug, Clone)]
struct Encoding {
    scope: u64,
    kind: u64,
    algorithm: u64,
    settings: Vec<u8>,
}

impl Default for Encoding {
    fn default() -> Self {
        Self { scope: 1, kind: 0, algorithm: 0, settings: Vec::new() }
    }
}

/// The compression algorithm that removes equal bytes from the start of each packet.
const HEADER_STRIPPING: u64 = 3;

/// A track.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) number: u64,
    /// The audio; `None` for a picture, subtitles, or an unknown track.
    pub(super) audio: Option<AudioTrack>,
}

/// The data needed to read the packets of an audio track.
#[derive(Debug, Clone)]
pub(super) struct AudioTrack {
    pub(super) params: TrackParams,
    /// The bytes stripped from the start of each packet.
    pub(super) stripped: Vec<u8>,
    /// The length of the sound to skip at the beginning, in nanoseconds.
    pub(super) delay: u64,
}

impl AudioTrack {
    /// Returns true if a player decodes the packets of both tracks alike.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (a, b) = (&self.params, &other.params);
        a.codec == b.codec
            && (a.rate, a.channels, a.bits, a.block_bytes) == (b.rate, b.channels, b.bits, b.block_bytes)
            && a.setup == b.setup
            && self.stripped == other.stripped
    }
}

impl Entry {
    /// Returns the number of bytes held of the codec's configuration.
    pub(super) fn held(&self) -> usize {
        self.private.bytes.len()
    }

    /// Begins a master element inside the entry.
    pub(super) fn open(&mut self, id: u32) {
        match id {
            id::AUDIO => self.audio = Audio::default(),
            // More than one encoding is refused later, so two are enough to keep.
            id::CONTENT_ENCODING if self.encodings.len() < 2 => self.encodings.push(Encoding::default()),
            _ => {}
        }
    }

    /// Reads a small element of at most [`MAX_STRIPPED`] bytes.
    pub(super) fn set(&mut self, id: u32, content: &[u8]) {
        let value = || ebml::unsigned(content);
        let or = |default: u64| if content.is_empty() { default } else { value() };
        match id {
            id::TRACK_NUMBER => self.number = value(),
            id::CODEC_ID => {
                let text = content.split(|byte| *byte == 0).next().unwrap_or_default();
                self.codec_id = String::from_utf8_lossy(text.get(..64).unwrap_or(text)).into_owned();
            }
            id::CODEC_DELAY => self.delay = value(),
            id::SAMPLING_FREQUENCY => self.audio.rate = ebml::rate(content).unwrap_or(DEFAULT_RATE),
            id::OUTPUT_SAMPLING_FREQUENCY => self.audio.output_rate = ebml::rate(content).unwrap_or_default(),
            id::CHANNELS => self.audio.channels = or(1),
            id::BIT_DEPTH => self.audio.bits = value(),
            _ => {}
        }
        let Some(encoding) = self.encodings.last_mut() else { return };
        match id {
            id::ENCODING_SCOPE => encoding.scope = or(1),
            id::ENCODING_TYPE => encoding.kind = value(),
            id::COMPRESSION_ALGORITHM => encoding.algorithm = value(),
            id::COMPRESSION_SETTINGS => encoding.settings = content.to_vec(),
            _ => {}
        }
    }

    /// Returns true if a demuxer may fail on packets of this track although their blocks are valid.
    pub(super) fn is_fragile(&self) -> bool {
        let prefixes = ["A_WAVPACK", "A_REAL", "D_WEBVTT"];
        !self.encodings.is_empty() || prefixes.iter().any(|prefix| self.codec_id.starts_with(prefix))
    }

    /// Returns the track after the end of its entry, or an error if its packets are unreadable.
    pub(super) fn finish(self, container: Container) -> Result<Track, MediaError> {
        let number = self.number;
        // The codec id decides whether the track is audio; its track type does not matter.
        if !self.codec_id.starts_with('A') {
            return Ok(Track { number, audio: None });
        }
        let refused = |what| MediaError::Feature { container, what };
        let mut stripped = Vec::new();
        let mut setup = self.private.finish();
        for encoding in &self.encodings {
            match (encoding.kind, encoding.algorithm) {
                (0, HEADER_STRIPPING) if self.encodings.len() == 1 => {
                    if encoding.scope & 1 != 0 {
                        stripped.clone_from(&encoding.settings);
                    }
                    if encoding.scope & 2 != 0 && !setup.is_empty() {
                        setup.splice(..0, encoding.settings.iter().copied());
                    }
                }
                (0, HEADER_STRIPPING) => return Err(refused("encodes its packets twice")),
                (0, 0) => return Err(refused("compresses its packets (zlib)")),
                (0, 1) => return Err(refused("compresses its packets (bzlib)")),
                (0, 2) => return Err(refused("compresses its packets (lzo1x)")),
                (1, _) => return Err(refused("encrypts its packets")),
                _ => return Err(refused("encodes its packets in a way that is not known")),
            }
        }
        let params = params(&self.codec_id, &self.audio, setup);
        Ok(Track { number, audio: Some(AudioTrack { params, stripped, delay: self.delay }) })
    }
}

/// Returns the parameters for the codec. `A_MS/ACM` and `A_QUICKTIME` wrap the description from another container.
fn params(codec_id: &str, audio: &Audio, setup: Vec<u8>) -> TrackParams {
    let rate = if audio.output_rate == 0 { audio.rate } else { audio.output_rate };
    let channels = u16::try_from(audio.channels).unwrap_or(u16::MAX);
    let bits = u16::try_from(audio.bits).unwrap_or_default();
    let mut plain = TrackParams { rate, channels, bits, ..TrackParams::default() };
    if codec_id.starts_with("A_AAC") && setup.is_empty() {
        // ffmpeg makes up the missing configuration, in which the core has the rate before the extension of its bandwidth.
        plain.rate = audio.rate;
    }
    match codec_id {
        "A_MS/ACM" => match wave_format(&setup, &plain) {
            Some(wave) => wave,
            None => TrackParams { codec: Err("A_MS/ACM without a WAVEFORMATEX".to_owned()), ..plain },
        },
        "A_QUICKTIME" => {
            // Some descriptions begin with their size, others do not.
            let code = |at: usize| setup.get(at..)?.first_chunk::<4>().map(|code| tags::from_fourcc(*code, bits));
            let unknown = || Err("A_QUICKTIME without a sound description".to_owned());
            let codec = match code(0) {
                Some(Ok(codec)) => Ok(codec),
                _ => code(4).unwrap_or_else(unknown),
            };
            TrackParams { codec, setup, ..plain }
        }
        _ => TrackParams { codec: tags::from_matroska(codec_id, bits), setup, ..plain },
    }
}

/// Reads a `WAVEFORMATEX` (RFC 2361). The rate remains the track's, as in ffmpeg.
fn wave_format(bytes: &[u8], plain: &TrackParams) -> Option<TrackParams> {
    let word = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes);
    let bits = word(14).unwrap_or(8);
    let tag = match word(0)? {
        0xfffe => word(24)?,
        tag => tag,
    };
    let channels = word(2).filter(|channels| *channels > 0).unwrap_or(plain.channels);
    let setup = bytes.get(18..).unwrap_or_default().to_vec();
    let codec = tags::from_wave_tag(tag, bits);
    Some(TrackParams { codec, rate: plain.rate, channels, bits, block_bytes: word(12)?.into(), setup })
}

/// The private data of a track during reading: its beginning, or Vorbis headers without the comments.
#[derive(Debug, Clone, Default)]
pub(super) struct Private {
    bytes: Vec<u8>,
    /// The positions of the Vorbis headers, once known.
    vorbis: Option<VorbisHeaders>,
    seen: u64,
}

/// The offsets of the Vorbis headers in the private data (<https://www.matroska.org/technical/codec_specs.html>).
#[derive(Debug, Clone, Copy)]
struct VorbisHeaders {
    identification: usize,
    comments: usize,
    setup: u64,
}

impl Private {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        bytes.chunks(4096).for_each(|part| self.push_part(part));
    }

    fn push_part(&mut self, part: &[u8]) {
        let before = self.seen;
        self.seen = before.saturating_add(to_u64(part.len()));
        // Drop the comments.
        let passed = self.vorbis.map_or(0, |headers| headers.setup.saturating_sub(before));
        let wanted = usize::try_from(passed).ok().and_then(|passed| part.get(passed..)).unwrap_or_default();
        let free = MAX_SETUP.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(wanted.get(..free).unwrap_or(wanted));
        if self.vorbis.is_none() {
            self.vorbis = vorbis_headers(&self.bytes);
            if let Some(headers) = self.vorbis {
                let setup = usize::try_from(headers.setup).unwrap_or(usize::MAX).min(self.bytes.len());
                self.bytes.drain(headers.comments.min(setup)..setup);
            }
        }
    }

    fn finish(self) -> Vec<u8> {
        let bytes = self.bytes;
        let Some(headers) = self.vorbis else { return bytes };
        let Some((head, setup)) = bytes.split_at_checked(headers.comments) else { return bytes };
        vorbis_setup(head.get(headers.identification..).unwrap_or_default(), setup)
    }
}

/// Returns the positions of the Vorbis headers in `private`, if it holds the sizes of the first two headers and the whole
/// identification header. The three headers follow the two sizes.
fn vorbis_headers(private: &[u8]) -> Option<VorbisHeaders> {
    let (&2, sizes) = private.split_first()? else { return None };
    let mut sizes = sizes.iter();
    let mut next = || {
        let mut size = 0;
        loop {
            let byte = *sizes.next()?;
            size += u64::from(byte);
            if byte < 255 {
                return Some(size);
            }
        }
    };
    let (first, second) = (next()?, next()?);
    let identification = private.len().checked_sub(sizes.len())?;
    let comments = identification.checked_add(usize::try_from(first).ok()?)?;
    let is_vorbis = private.get(identification..comments)?.starts_with(b"\x01vorbis");
    let setup = to_u64(comments).checked_add(second)?;
    is_vorbis.then_some(VorbisHeaders { identification, comments, setup })
}

/// Returns Vorbis headers as Matroska laces them, without comments.
pub(in super::super) fn vorbis_setup(identification: &[u8], setup: &[u8]) -> Vec<u8> {
    let sizes = [identification.len(), NO_COMMENTS.len()].map(|size| u8::try_from(size).unwrap_or_default());
    [&[2][..], &sizes, identification, NO_COMMENTS, setup].concat()
}
