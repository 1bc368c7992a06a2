//! The length that the header of a WAV file states.

use super::format::{self, CHUNK_HEADER, MAX_FORMAT, RIFF_HEADER, stated_bytes};
use crate::domain::AudioMs;
use crate::intake::media::Container;
use crate::intake::media::codec::{PacketClock, TrackParams, Wants};

/// Returns the length of a file of `bytes` bytes that begins with `head`, from its format and the stated size of its sound,
/// and true if the length is exact provided that the header is true. If the sound begins beyond `head`, the length is an
/// upper bound from the rest of the file.
pub(in super::super::super) fn claim(head: &[u8], bytes: u64) -> Option<(AudioMs, bool)> {
    let (mut at, mut format_of) = (u64::try_from(head.get(..RIFF_HEADER)?.len()).ok()?, None);
    let mut data_size = None;
    let lasts = |format: &Option<TrackParams>, sound: u64| {
        let mut clock = PacketClock::new(format.as_ref()?, Container::Wav).ok()?;
        if clock.begin(sound) != Wants::Nothing {
            return None;
        }
        clock.unseen(sound);
        clock.end();
        Some(AudioMs::new(clock.played().div_ceil(1_000_000)))
    };
    loop {
        let rest = head.get(usize::try_from(at).ok()?..).and_then(|rest| rest.split_at_checked(CHUNK_HEADER));
        let Some((header, content)) = rest else { return Some((lasts(&format_of, bytes.checked_sub(at)?)?, false)) };
        let &[a, b, c, d, s0, s1, s2, s3] = header.first_chunk()?;
        let stated = u32::from_le_bytes([s0, s1, s2, s3]);
        let (size, left) = (u64::from(stated), bytes.checked_sub(at + 8)?);
        match &[a, b, c, d] {
            b"data" => {
                let size = stated_bytes(data_size, stated).unwrap_or(left);
                return Some((lasts(&format_of, size.min(left))?, true));
            }
            b"fmt " if format_of.is_none() => {
                let end = usize::try_from(stated).unwrap_or(usize::MAX).min(content.len()).min(MAX_FORMAT);
                format_of = Some(format::parse(content.get(..end)?));
            }
            b"ds64" if !head.starts_with(b"RIFF") => {
                data_size = content.get(8..16).and_then(<[u8]>::first_chunk).copied().map(u64::from_le_bytes);
            }
            _ => {}
        }
        at += 8 + size + (size & 1);
    }
}
