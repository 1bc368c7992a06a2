//! The duration that the header of a Matroska file states.

use std::time::Duration;

use super::ebml::{Read, head, id, unsigned};
use crate::domain::AudioMs;

/// The scale of times where the file states none: a millisecond, in nanoseconds (RFC 9559 §5.1.2.9).
const DEFAULT_SCALE: u32 = 1_000_000;
/// The length by which a file may play longer than it states: some muxers leave out the last packet, and one of Opus lasts
/// 120 ms at most.
const LAST_PACKET: Duration = Duration::from_millis(120);

/// Returns the stated duration of a file that begins with `bytes`, and the last packet. Returns `None` if the file states
/// none, as live recordings do, or not at its beginning.
pub(in super::super::super) fn claim(bytes: &[u8]) -> Option<AudioMs> {
    let mut segment = None;
    // The header of the file is skipped.
    Elements(bytes).find(|element| {
        segment = (element.id == id::SEGMENT).then_some(element.content);
        segment.is_some()
    })?;
    let info = Elements(segment?).take_while(|element| element.id != id::CLUSTER).find(|it| it.id == id::INFO)?;
    let (mut scale, mut duration) = (DEFAULT_SCALE, None);
    for element in Elements(info.content) {
        match element.id {
            id::TIMESTAMP_SCALE => scale = u32::try_from(unsigned(element.content)).ok()?,
            id::DURATION => duration = float(element.content),
            _ => {}
        }
    }
    let stated = duration.filter(|duration| *duration > 0.0)? * f64::from(scale) / 1e9;
    let length = Duration::try_from_secs_f64(stated).ok()?.checked_add(LAST_PACKET)?;
    u64::try_from(length.as_micros().div_ceil(1000)).ok().map(AudioMs::new)
}

/// An element of which all, or only the beginning, is known.
struct Element<'a> {
    id: u32,
    content: &'a [u8],
}

/// The elements in some bytes, one after the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let Read::Whole(found, length) = head(self.0, None) else { return None };
        let rest = self.0.get(length..)?;
        let size = found.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let (content, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        self.0 = after;
        Some(Element { id: found.id, content })
    }
}

fn float(content: &[u8]) -> Option<f64> {
    match content.len() {
        4 => content.first_chunk().map(|bytes| f64::from(f32::from_be_bytes(*bytes))),
        8 => content.first_chunk().map(|bytes| f64::from_be_bytes(*bytes)),
        _ => None,
    }
}
