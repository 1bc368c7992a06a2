//! The container by its first bytes, or what the file is instead.

use std::io::{self, Read, Seek, SeekFrom};

use super::{Container, MediaError, mpeg};

/// How much is looked at: enough to pass over whatever stands between a tag and the first MPEG frame.
const WINDOW: u64 = 64 * 1024;
/// What a WAV file's name for itself takes.
const SIGNATURE: u64 = 12;
/// Some files carry a second tag after the first. No file carries many.
const MAX_TAGS: usize = 8;

/// A container, and the part of the file that is not tags.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) container: Container,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether it is an MP4 in fragments, as recorders write it.
    pub(super) fragmented: bool,
}

pub(super) fn sniff<S: Read + Seek>(source: &mut S, bytes: u64) -> Result<Found, MediaError> {
    // Known by so little that the rest need not be read.
    if is_wav(&window(source, 0, SIGNATURE)?) {
        return Ok(Found { container: Container::Wav, start: 0, end: bytes, fragmented: false });
    }
    let mut start = 0;
    let mut head = window(source, start, WINDOW)?;
    for _ in 0..MAX_TAGS {
        let Some(tag) = id3v2_bytes(&head) else { break };
        start = tag.saturating_add(start);
        head = window(source, start, WINDOW)?;
    }
    // Tags are for MPEG audio and FLAC; nothing else is looked for behind one.
    let recognised = if start == 0 { by_signature(&head)? } else { flac(&head) };
    if let Some(container) = recognised {
        let trailer = match container {
            Container::Flac => trailing_tags(source, start, bytes)?,
            Container::Mp4 => trailing_index(source, bytes)?,
            Container::Webm => trailing_cues(source, bytes)?,
            _ => 0,
        };
        // The movie box of such a file is small, and comes first: its tables are empty.
        let fragmented = container == Container::Mp4 && memchr::memmem::find(&head, b"mvex").is_some();
        return Ok(Found { container, start, end: bytes - trailer, fragmented });
    }
    // Before MPEG frames are looked for throughout, so that nothing is mistaken for them that says plainly what it is.
    if let Some(found) = stranger(&head) {
        return Err(MediaError::Unsupported { found });
    }
    let ends = start.saturating_add(WINDOW) >= bytes;
    match mpeg::find(&head, ends) {
        Some(offset) => {
            let start = start.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
            let end = bytes - trailing_tags(source, start, bytes)?;
            Ok(Found { container: Container::Mp3, start, end, fragmented: false })
        }
        None => Err(MediaError::NotAudio { bytes }),
    }
}

/// The container by its beginning alone, and where in it the tags end.
pub(super) fn beginning(head: &[u8]) -> Option<(Container, &[u8])> {
    let tag = id3v2_bytes(head).unwrap_or_default();
    let audio = head.get(usize::try_from(tag).ok()?..)?;
    let container = if tag == 0 { by_signature(audio).ok()? } else { flac(audio) };
    let container = container.or_else(|| {
        let plain = stranger(audio).is_none() && mpeg::find(audio, false).is_some();
        plain.then_some(Container::Mp3)
    })?;
    Some((container, audio))
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

/// The bytes of the `ID3v1` and APE tags at the end. They would pass for audio that could not be read.
fn trailing_tags<S: Read + Seek>(source: &mut S, start: u64, bytes: u64) -> io::Result<u64> {
    let mut tags = 0;
    if read_back(source, start, bytes, 128)?.is_some_and(|tag| tag.starts_with(b"TAG")) {
        tags += 128;
    }
    if let Some(footer) = read_back(source, start, bytes - tags, 32)?
        && footer.starts_with(b"APETAGEX")
    {
        let field = |at: usize| footer.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let header = if field(20).is_some_and(|flags| flags & 0x8000_0000 != 0) { 32 } else { 0 };
        let size = u64::from(field(12).unwrap_or_default()) + header;
        // A tag that claims to hold the audio as well would hide it.
        let begins = read_back(source, start, bytes - tags, size)?;
        if header > 0 && begins.is_some_and(|tag| tag.starts_with(b"APETAGEX")) {
            tags += size;
        }
    }
    Ok(tags)
}

/// The bytes of the index to its fragments that an MP4 may end with (ISO/IEC 14496-12 §8.8.9 to §8.8.11).
fn trailing_index<S: Read + Seek>(source: &mut S, bytes: u64) -> io::Result<u64> {
    let Some(offset) = read_back(source, 0, bytes, 16)? else { return Ok(0) };
    let Some((b"mfro", size)) = offset.get(4..8).zip(offset.last_chunk().copied().map(u32::from_be_bytes)) else {
        return Ok(0);
    };
    let index = read_back(source, 0, bytes, size.into())?;
    let begins = index.is_some_and(|index| index.get(4..8) == Some(b"mfra"));
    Ok(if begins { size.into() } else { 0 })
}

/// The bytes of the index, the Cues, that a Matroska file may end with (RFC 9559 §5.1.5). In hours of audio it grows past
/// what a demuxer may leave unread without arousing suspicion.
fn trailing_cues<S: Read + Seek>(source: &mut S, bytes: u64) -> io::Result<u64> {
    const ID: &[u8] = b"\x1c\x53\xbb\x6b";
    const LONGEST: u64 = 256 * 1024;
    let mut end = Vec::new();
    source.seek(SeekFrom::Start(bytes.saturating_sub(LONGEST)))?;
    source.by_ref().take(LONGEST).read_to_end(&mut end)?;
    let Some(index) = memchr::memmem::rfind(&end, ID).and_then(|at| end.get(at..)) else { return Ok(0) };
    let size = index.get(ID.len()..).and_then(element_size);
    let whole = size.and_then(|(header, content)| content.checked_add(header + 4));
    let present = u64::try_from(index.len()).unwrap_or_default();
    Ok(if whole == Some(present) { present } else { 0 })
}

/// An element's size: how many bytes state it, and what they state (RFC 8794 §4).
fn element_size(bytes: &[u8]) -> Option<(u64, u64)> {
    let first = *bytes.first()?;
    let more = first.leading_zeros();
    let marked = u64::from(first) & 0x7f_u64.checked_shr(more)?;
    let rest = bytes.get(1..=usize::try_from(more).ok()?)?;
    Some((u64::from(more) + 1, rest.iter().fold(marked, |size, byte| size << 8 | u64::from(*byte))))
}

/// The first bytes, up to 128, of the last `size` before `end`, if there are so many.
fn read_back<S: Read + Seek>(source: &mut S, start: u64, end: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(at) = end.checked_sub(size).filter(|&at| at >= start) else { return Ok(None) };
    let mut tag = Vec::new();
    source.seek(SeekFrom::Start(at))?;
    source.by_ref().take(size.min(128)).read_to_end(&mut tag)?;
    Ok(Some(tag))
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

/// What a file is that is not taken, where that is cheap to tell.
fn stranger(head: &[u8]) -> Option<&'static str> {
    const PREFIXES: &[(&[u8], &str)] = &[
        (b"FORM", "AIFF or another IFF file"),
        (b"#!AMR", "AMR audio"),
        (b"MThd", "MIDI, which holds notes and no sound"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA or ASF)"),
        (b"caff", "a Core Audio file (CAF)"),
        (b".snd", "Sun audio (AU)"),
        (b"wvpk", "WavPack audio"),
        (b"MAC ", "Monkey's Audio"),
        (b"RIFX", "big-endian WAV (RIFX)"),
        (b"RIFF", "a RIFF file other than WAV"),
        (b"FLV", "Flash video"),
        (b"\x00\x00\x01\xba", "an MPEG program stream"),
        (b"\x0b\x77", "raw AC-3 audio"),
        // What a recorder hands out after its first piece: the head of the stream was in that.
        (b"\x1f\x43\xb6\x75", "a piece of WebM without its beginning; join the recorder's pieces in order"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"Rar!", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    ];
    if let Some((_, name)) = PREFIXES.iter().find(|(prefix, _)| head.starts_with(prefix)) {
        return Some(name);
    }
    if matches!(head.get(4..8), Some(b"styp" | b"moof" | b"sidx")) {
        return Some("a piece of MP4 without its beginning; join the recorder's pieces in order");
    }
    // An ADTS header has MPEG's sync and layer 0, which no MPEG audio frame has.
    if let [0xff, second, ..] = head
        && second & 0xf6 == 0xf0
    {
        return Some("raw AAC (ADTS); put it into an m4a file");
    }
    text(head)
}

fn text(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // The window may have cut the last character.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(err) if err.error_len().is_none() => std::str::from_utf8(head.get(..err.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let text = text.trim_start();
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    Some(if starts("<!doctype html") || starts("<html") {
        "an HTML page"
    } else if starts("<") {
        "XML text"
    } else if starts("{") || starts("[") {
        "JSON text"
    } else if starts("data:") {
        "a data: URL as text; send the bytes that it encodes"
    } else {
        "plain text"
    })
}
