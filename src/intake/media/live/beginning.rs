//! Detection of the container from the first bytes of a live recording, which may come one by one.

use super::error::LiveMediaError;
use crate::intake::media::codec::suspicion;
use crate::intake::media::describe::describe;
use crate::intake::media::{Container, detect};

/// The mark of EBML, and the number of bytes in which its document type must be.
const EBML: &[u8] = b"\x1a\x45\xdf\xa3";
const MAX_EBML_HEADER: usize = 128;
/// The number of bytes that tell all containers but `WebM`.
const SIGNATURE: usize = 12;
/// The largest first box of an MP4 file: its brands.
const MAX_BRANDS: u32 = 4096;

/// Returns the container of a recording that begins with `head`; `None` if more bytes must tell.
pub(super) fn container(head: &[u8]) -> Result<Option<Container>, LiveMediaError> {
    let begins = |mark: &[u8]| mark.starts_with(head.get(..mark.len()).unwrap_or(head));
    if head.is_empty() {
        return Ok(None);
    }
    if begins(b"OggS") {
        return Ok((head.len() >= 4).then_some(Container::Ogg));
    }
    if begins(EBML) {
        let header = head.get(..MAX_EBML_HEADER).unwrap_or(head);
        let holds = |name: &[u8]| memchr::memmem::find(header, name).is_some();
        return match () {
            () if holds(b"webm") || holds(b"matroska") => Ok(Some(Container::Webm)),
            () if head.len() < MAX_EBML_HEADER => Ok(None),
            () => Err(LiveMediaError::Beginning { found: "an EBML file that is not WebM or Matroska" }),
        };
    }
    if [b"RIFF", b"RF64", b"BW64"].iter().any(|mark| begins(*mark)) {
        match head.get(8..) {
            Some(form) if form.len() >= 4 && form.starts_with(b"WAVE") => return Ok(Some(Container::Wav)),
            Some(form) if !b"WAVE".starts_with(form.get(..4).unwrap_or(form)) => {}
            _ => return Ok(None),
        }
    }
    match mp4(head) {
        Some(true) if head.len() >= SIGNATURE => match detect::by_signature(head) {
            Ok(Some(container)) => Ok(Some(container)),
            _ => Err(LiveMediaError::Beginning { found: "a HEIF, AVIF, JPEG 2000 or JPEG XL image" }),
        },
        Some(_) if head.len() < SIGNATURE => Ok(None),
        _ => Err(LiveMediaError::Beginning { found: name(head) }),
    }
}

/// Returns true if `head` begins with the brands of an MP4 file, and `None` if it cannot.
fn mp4(head: &[u8]) -> Option<bool> {
    let Some((size, kind)) = head.split_first_chunk::<4>() else {
        return head.iter().take(2).all(|byte| *byte == 0).then_some(false);
    };
    let is_size = (16..=MAX_BRANDS).contains(&u32::from_be_bytes(*size));
    let may = is_size && b"ftyp".starts_with(kind.get(..4).unwrap_or(kind));
    may.then_some(kind.len() >= 4)
}

/// Names what is none of the containers.
fn name(head: &[u8]) -> &'static str {
    let is = |mark: &[u8]| head.starts_with(mark);
    match () {
        () if is(b"fLaC") => "FLAC",
        () if is(b"ID3") => "MP3 with a tag",
        () if is(b"FORM") => "AIFF",
        () if is(b"caff") => "a Core Audio file (CAF)",
        () if head.iter().all(|byte| *byte == 0) => "zeros",
        () if matches!(head, [0xff, second, ..] if second & 0xf6 == 0xf0) => "raw AAC (ADTS)",
        () => match describe(head) {
            Some(found) => found,
            None if suspicion::find_mpeg(head, false) == Some(0) => "MP3",
            None => "bytes in no known format",
        },
    }
}
