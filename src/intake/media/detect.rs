//! The container by its first bytes.

use std::io::{self, Read, Seek, SeekFrom};

use super::codec::{TrackParams, suspicion, table};
use super::demux::{Demuxer, Elementary, Flac, Matroska, Ogg, Wav};
use super::describe::describe;
use super::{Container, MediaError};

/// How much is looked at: enough to pass over whatever stands between a tag and the first MPEG frame.
const WINDOW: u64 = 64 * 1024;
/// What most containers are known by.
const SIGNATURE: u64 = 12;
/// Some files carry a second tag after the first. No file carries many.
const MAX_TAGS: usize = 8;

/// A container, and where in the file it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) container: Container,
    pub(super) start: u64,
}

impl Detected {
    /// A demuxer for it, to be fed from its start on; `bytes` is the size of the whole file. `None` for MP4, whose tables have
    /// to be read where they are.
    pub(super) fn demuxer(&self, bytes: u64) -> Option<Box<dyn Demuxer>> {
        Some(match self.container {
            Container::Wav => Box::new(Wav::new(Some(bytes.saturating_sub(self.start)))),
            Container::Mp3 => {
                Box::new(Elementary::new(TrackParams { codec: Ok(table::MP3), ..TrackParams::default() }))
            }
            Container::Flac => Box::new(Flac::new()),
            Container::Ogg => Box::new(Ogg::new()),
            Container::Webm => Box::new(Matroska::new()),
            Container::Mp4 => return None,
        })
    }
}

pub(super) fn detect<S: Read + Seek>(source: &mut S, bytes: u64) -> Result<Detected, MediaError> {
    let mut start = 0;
    // What is known by so little that the rest need not be read.
    let mut head = window(source, start, SIGNATURE)?;
    for _ in 0..MAX_TAGS {
        let Some(tag) = id3v2_bytes(&head) else { break };
        start = tag.saturating_add(start);
        head = window(source, start, SIGNATURE)?;
    }
    if is_wav(&head) {
        return Ok(Detected { container: Container::Wav, start });
    }
    head = window(source, start, WINDOW)?;
    match by_signature(&head)? {
        // Its tables count from the file's first byte, tag or not, and who wrote it counted without.
        Some(Container::Mp4) if start > 0 => {
            return Err(MediaError::Unsupported { found: "an MP4 file behind an ID3 tag" });
        }
        Some(container) => return Ok(Detected { container, start }),
        None => {}
    }
    // Before MPEG frames are looked for throughout, so that nothing is mistaken for them that says plainly what it is.
    if let Some(found) = describe(&head) {
        return Err(MediaError::Unsupported { found });
    }
    let ends = start.saturating_add(WINDOW) >= bytes;
    match suspicion::find_mpeg(&head, ends) {
        Some(_) => Ok(Detected { container: Container::Mp3, start }),
        None => Err(MediaError::NotAudio { bytes }),
    }
}

/// The container by its beginning alone, and where in it the tags end.
pub(super) fn beginning(head: &[u8]) -> Option<(Container, &[u8])> {
    let tag = id3v2_bytes(head).unwrap_or_default();
    let audio = head.get(usize::try_from(tag).ok()?..)?;
    let container = by_signature(audio).ok()?.or_else(|| {
        let plain = describe(audio).is_none() && suspicion::find_mpeg(audio, false).is_some();
        plain.then_some(Container::Mp3)
    })?;
    (tag == 0 || container != Container::Mp4).then_some((container, audio))
}

fn window<S: Read + Seek>(source: &mut S, at: u64, size: u64) -> io::Result<Vec<u8>> {
    // At once: a vector that grows to the size of a window is copied four times.
    let mut head = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    source.seek(SeekFrom::Start(at))?;
    source.by_ref().take(size).read_to_end(&mut head)?;
    Ok(head)
}

/// The size of the `ID3v2` tag that `head` starts with: header, content and, where flagged, footer (its version 2.4, §3.1).
fn id3v2_bytes(head: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', major, minor, flags, a, b, c, d] = head.first_chunk()? else { return None };
    let size = [a, b, c, d];
    if major == 0xff || minor == 0xff || size.iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let content = size.iter().fold(0, |content, byte| content << 7 | u64::from(*byte));
    Some(content + if flags & 0x10 == 0 { 10 } else { 20 })
}

fn by_signature(head: &[u8]) -> Result<Option<Container>, MediaError> {
    let at = |offset: usize| head.get(offset..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    Ok(match (&at(0), &at(4), &at(8)) {
        _ if is_wav(head) => Some(Container::Wav),
        (b"OggS", ..) => Some(Container::Ogg),
        (b"\x1a\x45\xdf\xa3", ..) => Some(matroska(head)?),
        (_, b"ftyp", brand) if is_image(*brand) => {
            return Err(MediaError::Unsupported { found: "a HEIF or AVIF image" });
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
    matches!(&brand, b"heic" | b"heix" | b"heif" | b"mif1" | b"msf1" | b"avif" | b"avis")
}

/// Whether the first atom is whole and another follows, or it runs on past what was read, as audio does.
fn leads_to_atom(head: &[u8]) -> bool {
    let Some(size) = head.first_chunk().copied().map(u32::from_be_bytes) else { return false };
    let next = usize::try_from(size).unwrap_or(usize::MAX);
    size == 1 || next >= head.len() || head.get(next..).and_then(|rest| rest.get(4..8)).is_some_and(is_code)
}

fn is_code(code: &[u8]) -> bool {
    code.iter().all(u8::is_ascii_graphic)
}

/// EBML is no more than a syntax; the document type says whose (RFC 8794 §11.2.6).
fn matroska(head: &[u8]) -> Result<Container, MediaError> {
    let header = head.get(..head.len().min(128)).unwrap_or_default();
    if memchr::memmem::find(header, b"webm").is_some() || memchr::memmem::find(header, b"matroska").is_some() {
        Ok(Container::Webm)
    } else {
        Err(MediaError::Unsupported { found: "an EBML file that is not WebM or Matroska" })
    }
}
