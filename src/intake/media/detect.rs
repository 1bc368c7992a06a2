//! Detection of the container from the first bytes of a file.

use std::io::{self, Read, Seek, SeekFrom};

use super::buffer::Buffer;
use super::codec::{Codec, TrackParams, suspicion, table};
use super::demux::{Aiff, Demuxer, Elementary, Flac, Matroska, Ogg, Wav};
use super::describe::describe;
use super::players::{MAX_PROBED, MIN_PROBED, is_surely_mp4, other_format};
use super::{Container, MediaError};

/// The number of bytes examined: enough to skip any bytes between a tag and the first MPEG frame.
const WINDOW: usize = 64 * 1024;
/// The number of bytes that identify most containers.
const SIGNATURE: usize = 12;
/// The maximum number of `ID3v2` tags. Some files carry a second tag after the first; no file carries many.
const MAX_TAGS: usize = 8;

/// A container and the offset of its first byte in the file.
#[derive(Debug)]
pub(super) struct Detected {
    pub(super) container: Container,
    pub(super) start: u64,
    pub(super) certainty: Certainty,
    /// The bytes from `start` that were read to detect the container.
    pub(super) head: Buffer,
}

/// The certainty with which players recognise a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Known,
    /// A file of MPEG frames in which players may find frames of another kind.
    OneOfSome,
    /// A file that does not begin with its format's mark, so players may take it for anything.
    Doubted,
}

impl Detected {
    /// Returns the demuxer for this container, to be fed from `start`; `bytes` is the size of the whole file. `None` for MP4
    /// and CAF, which need random access to their tables.
    pub(super) fn demuxer(&self, bytes: u64) -> Option<Box<dyn Demuxer + Send>> {
        let codec = match self.certainty {
            Certainty::Known => table::MP3,
            Certainty::OneOfSome => table::MP3_OR_OTHERS,
            Certainty::Doubted => table::MP3_IN_DOUBT,
        };
        demuxer_of(self.container, self.start, bytes, codec)
    }
}

/// Returns the demuxer for a recording of `bytes` bytes that was measured, to be fed from `start`; `None` for MP4
/// and CAF.
pub(super) fn demuxer(container: Container, start: u64, bytes: u64) -> Option<Box<dyn Demuxer + Send>> {
    demuxer_of(container, start, bytes, table::MP3)
}

fn demuxer_of(container: Container, start: u64, bytes: u64, mpeg: Codec) -> Option<Box<dyn Demuxer + Send>> {
    Some(match container {
        Container::Wav => Box::new(Wav::new(Some(bytes.saturating_sub(start))).starting_at(start)),
        Container::Mp3 => Box::new(Elementary::new(TrackParams { codec: Ok(mpeg), ..TrackParams::default() })),
        Container::Flac => Box::new(Flac::new()),
        Container::Ogg => Box::new(Ogg::new()),
        Container::Webm => Box::new(Matroska::new()),
        Container::Aiff => Box::new(Aiff::new(bytes.saturating_sub(start))),
        Container::Mp4 | Container::Caf => return None,
    })
}

/// Returns the offset of the first byte after the `ID3v2` tags at the start of a file.
pub(super) fn audio_start<S: Read + Seek>(source: &mut S) -> io::Result<u64> {
    let mut start = 0_u64;
    let mut head = Buffer::new();
    read_head(source, start, SIGNATURE, &mut head)?;
    for _ in 0..MAX_TAGS {
        let Some(tag) = id3v2_bytes(&head) else { break };
        start = tag.saturating_add(start);
        read_head(source, start, SIGNATURE, &mut head)?;
    }
    Ok(start)
}

/// Returns true if the file begins with the mark of WAV.
pub(super) fn begins_as_wav<S: Read + Seek>(source: &mut S) -> io::Result<bool> {
    let mut head = Buffer::new();
    read_head(source, 0, SIGNATURE, &mut head)?;
    Ok(is_wav(&head))
}

pub(super) fn detect<S: Read + Seek>(source: &mut S, bytes: u64) -> Result<Detected, MediaError> {
    let (mut start, mut tags) = (0, 0);
    // Read only the signature first: it settles some formats without the rest.
    let mut head = Buffer::new();
    read_head(source, start, SIGNATURE, &mut head)?;
    for _ in 0..MAX_TAGS {
        let Some(tag) = id3v2_bytes(&head) else { break };
        start = tag.saturating_add(start);
        tags += 1;
        read_head(source, start, SIGNATURE, &mut head)?;
    }
    // Players skip one tag, if it is not too large, before they probe the format.
    let passed_over = tags < 2 && start.saturating_add(16) < MAX_PROBED;
    // Without a tag, the first kilobytes settle the format for players too.
    let probed = if start == 0 { MIN_PROBED } else { MAX_PROBED };
    if is_wav(&head) {
        refuse_other_formats(source, (Container::Wav, start), probed)?;
        return known(Container::Wav, start, passed_over, head);
    }
    read_head(source, start, WINDOW, &mut head)?;
    match by_signature(&head)? {
        // The offsets in its tables count from the file's first byte, but the encoder wrote them before the tag was added.
        Some(Container::Mp4) if start > 0 => {
            return Err(MediaError::Unsupported { found: "an MP4 file behind an ID3 tag" });
        }
        Some(Container::Caf) if start > 0 => {
            return Err(MediaError::Unsupported { found: "a CAF file behind an ID3 tag" });
        }
        Some(container) => {
            refuse_other_formats(source, (container, start), probed)?;
            if container == Container::Mp4 && !is_surely_mp4(source)? {
                let found = "an MP4 file that begins with a box by which players do not know it";
                return Err(MediaError::Unsupported { found });
            }
            if container == Container::Flac && !has_stream_info(&head) && suspicion::suspected_codec(&head).is_some() {
                return Err(MediaError::Unsupported { found: "frames of another kind behind a damaged head of FLAC" });
            }
            return known(container, start, passed_over, head);
        }
        None => {}
    }
    // This precedes the search for MPEG frames, so that a file with a plain mark is not mistaken for MPEG.
    if let Some(found) = describe(&head) {
        return Err(MediaError::Unsupported { found });
    }
    let ends = start.saturating_add(length(&head)) >= bytes;
    if suspicion::find_mpeg(&head, ends).is_none() {
        return Err(MediaError::NotAudio { bytes });
    }
    let lead = suspicion::leading_mpeg(&head, ends);
    // Players double the number of bytes they probe until it is enough.
    let probed = lead
        .and_then(|lead| start.saturating_add(lead).checked_next_power_of_two())
        .map_or(MAX_PROBED, |settled| settled.saturating_mul(2).saturating_sub(start).clamp(MIN_PROBED, MAX_PROBED));
    refuse_other_formats(source, (Container::Mp3, start), probed)?;
    if lead.is_none() && says_what_it_is(&head) {
        return Err(MediaError::NotAudio { bytes });
    }
    if lead.is_none()
        && let Some(codec) = suspicion::suspected_codec(&head).filter(|codec| *codec != table::DISGUISED)
    {
        return Err(MediaError::Codec { container: Container::Mp3, codec: codec.name().to_owned() });
    }
    let certainty = match lead {
        None => Certainty::Doubted,
        Some(_) if passed_over => Certainty::Known,
        Some(_) => Certainty::OneOfSome,
    };
    Ok(Detected { container: Container::Mp3, start, certainty, head })
}

/// Returns a container known by its first bytes, or an error if players do not examine those bytes.
fn known(container: Container, start: u64, passed_over: bool, head: Buffer) -> Result<Detected, MediaError> {
    if passed_over {
        Ok(Detected { container, start, certainty: Certainty::Known, head })
    } else {
        Err(MediaError::Unsupported { found: "a recording behind several ID3 tags or one of more than 1 MiB" })
    }
}

/// Returns true if FLAC begins with a `STREAMINFO` that players believe.
fn has_stream_info(head: &[u8]) -> bool {
    let short = |at: usize| head.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u16::from_be_bytes);
    let begins = head.get(4).is_some_and(|kind| kind.trailing_zeros() >= 7) && head.get(5..8) == Some(&[0, 0, 34]);
    let rate = head.get(17..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_be_bytes) << 8 >> 12;
    let has_rate = (1..=655_350).contains(&rate);
    begins && short(8) >= 16 && short(10) >= short(8) && has_rate
}

/// Returns true if a file that does not begin with a frame begins with the name or the zeros of another format. A piece cut
/// out of a longer file begins with the rest of a frame instead.
fn says_what_it_is(head: &[u8]) -> bool {
    let Some(begins @ &[first, ..]) = head.first_chunk::<4>() else { return true };
    let is_filler = begins.iter().all(|byte| *byte == first);
    let is_name = begins.iter().all(|byte| byte.is_ascii_alphanumeric() || b" !.-_".contains(byte));
    if is_filler { first == 0 } else { is_name && begins != b"LAME" }
}

fn refuse_other_formats<S: Read + Seek>(source: &mut S, what: (Container, u64), probed: u64) -> Result<(), MediaError> {
    match other_format(source, what, probed)? {
        Some(found) => Err(MediaError::TwoFormats { container: what.0, found }),
        None => Ok(()),
    }
}

/// Returns the container, as far as the beginning of a file shows it, and the bytes after the tags.
pub(super) fn beginning(head: &[u8]) -> Option<(Container, &[u8])> {
    let tag = id3v2_bytes(head).unwrap_or_default();
    let audio = head.get(usize::try_from(tag).ok()?..)?;
    let container = by_signature(audio).ok()?.or_else(|| {
        let plain = describe(audio).is_none() && suspicion::find_mpeg(audio, false).is_some();
        plain.then_some(Container::Mp3)
    })?;
    (tag == 0 || !matches!(container, Container::Mp4 | Container::Caf)).then_some((container, audio))
}

/// Replaces `head` by the first `size` bytes from `at`.
fn read_head<S: Read + Seek>(source: &mut S, at: u64, size: usize, head: &mut Buffer) -> io::Result<()> {
    head.clear();
    source.seek(SeekFrom::Start(at))?;
    head.fill(source, size)?;
    Ok(())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Returns the size of the `ID3v2` tag at the start of `head`: header, content and, if flagged, footer (`ID3v2.4` §3.1).
fn id3v2_bytes(head: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', major, minor, flags, a, b, c, d] = head.first_chunk()? else { return None };
    let size = [a, b, c, d];
    if major == 0xff || minor == 0xff || size.iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let content = size.iter().fold(0, |content, byte| content << 7 | u64::from(*byte));
    Some(content + if flags & 0x10 == 0 { 10 } else { 20 })
}

pub(super) fn by_signature(head: &[u8]) -> Result<Option<Container>, MediaError> {
    let at = |offset: usize| head.get(offset..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    Ok(match (&at(0), &at(4), &at(8)) {
        _ if is_wav(head) => Some(Container::Wav),
        (b"OggS", ..) => Some(Container::Ogg),
        (b"FORM", _, b"AIFF" | b"AIFC") => Some(Container::Aiff),
        (b"caff", [0, 1, ..], _) => Some(Container::Caf),
        (b"\x1a\x45\xdf\xa3", ..) => Some(matroska(head)?),
        (_, b"ftyp", brand) if is_image(*brand) => {
            return Err(MediaError::Unsupported { found: "a HEIF, AVIF, JPEG 2000 or JPEG XL image" });
        }
        (_, b"ftyp" | b"moov", _) => Some(Container::Mp4),
        // Old QuickTime files may start with their audio or with padding.
        (_, b"mdat" | b"wide" | b"free" | b"skip", _) if leads_to_atom(head) => Some(Container::Mp4),
        _ => flac(head),
    })
}

fn is_wav(head: &[u8]) -> bool {
    head.get(8..12) == Some(b"WAVE") && [b"RIFF", b"RF64", b"BW64"].iter().any(|mark| head.starts_with(*mark))
}

fn flac(head: &[u8]) -> Option<Container> {
    head.starts_with(b"fLaC").then_some(Container::Flac)
}

fn is_image(brand: [u8; 4]) -> bool {
    matches!(&brand, b"heic" | b"heix" | b"heif" | b"mif1" | b"msf1" | b"avif" | b"avis" | b"jp2 " | b"jpx " | b"jxl ")
}

/// Returns true if another atom follows the first, or if the first extends past `head`, as an atom of audio does.
fn leads_to_atom(head: &[u8]) -> bool {
    let Some(size) = head.first_chunk().copied().map(u32::from_be_bytes) else { return false };
    let next = usize::try_from(size).unwrap_or(usize::MAX);
    size == 1 || next >= head.len() || head.get(next..).and_then(|rest| rest.get(4..8)).is_some_and(is_code)
}

fn is_code(code: &[u8]) -> bool {
    code.iter().all(u8::is_ascii_graphic)
}

/// Returns the size of the EBML header at the start of `head` (RFC 8794 §4).
fn ebml_header(head: &[u8]) -> usize {
    const ID: usize = 4;
    let Some(&first) = head.get(ID) else { return 0 };
    let count = usize::try_from(first.leading_zeros()).unwrap_or_default() + 1;
    let Some(size) = head.get(ID..ID + count) else { return 0 };
    let value = size.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let value = value & !(u64::MAX << (7 * count));
    usize::try_from(value).unwrap_or(usize::MAX).saturating_add(ID + count)
}

/// Reads the document type of an EBML file, since EBML is only a syntax (RFC 8794 §11.2.6).
fn matroska(head: &[u8]) -> Result<Container, MediaError> {
    let header = head.get(..head.len().min(ebml_header(head)).min(128)).unwrap_or_default();
    if memchr::memmem::find(header, b"webm").is_some() || memchr::memmem::find(header, b"matroska").is_some() {
        Ok(Container::Webm)
    } else {
        Err(MediaError::Unsupported { found: "an EBML file that is not WebM or Matroska" })
    }
}
