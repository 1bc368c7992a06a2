//! How long a recording can be, by its beginning alone, while the rest of it is still arriving.
//!
//! What a header states is believed here, for a while: nothing is final before the whole recording has been measured, and
//! one that turns out longer than was claimed is taken for what it is.

use super::codec::mpeg::Frame;
use super::codec::suspicion;
use super::demux::wav;
use super::{Container, detect, tally};
use crate::domain::AudioMs;

/// What the beginning of a recording says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What holds the audio.
    pub container: Container,
    /// The longest that it is said to be.
    pub length: AudioMs,
    /// Whether it is exactly that, if it tells the truth. Otherwise it may be shorter: by what is no sound in it, or as a
    /// rule by far, where nothing but the bound for so many bytes is known.
    pub exact: bool,
}

/// What `head`, the beginning of a recording of `bytes` bytes, claims. `None` where the container cannot be told by it.
pub fn claim(head: &[u8], bytes: u64) -> Option<Claim> {
    let (container, audio) = detect::beginning(head)?;
    let said = match container {
        Container::Wav => wav::claim(audio, bytes),
        Container::Flac => flac(audio).map(|length| (length, true)),
        // Tags count as sound.
        Container::Mp3 => constant_rate(audio, bytes).map(|length| (length, false)),
        Container::Ogg | Container::Mp4 | Container::Webm => None,
    };
    let bound = || (tally::longest(bytes, container.min_bits_per_second()), false);
    let (length, exact) = said.unwrap_or_else(bound);
    Some(Claim { container, length, exact })
}

/// The number of samples that `STREAMINFO` states, unless its writer did not know it (RFC 9639 §8.2).
fn flac(audio: &[u8]) -> Option<AudioMs> {
    // A marker, the head of a block, sizes of blocks and frames; then 20 bits of rate, 8 of channels and bits, 36 of samples.
    let block = audio.get(4..)?.first_chunk::<22>()?;
    let &[kind, .., r0, r1, r2, s0, s1, s2, s3, s4] = block;
    let rate = u64::from(u32::from_be_bytes([0, r0, r1, r2]) >> 4);
    let samples = u64::from_be_bytes([0, 0, 0, s0 & 0x0f, s1, s2, s3, s4]);
    let is_stream_info = matches!(kind, 0 | 0x80);
    if is_stream_info && samples > 0 { AudioMs::from_frames(samples, rate) } else { None }
}

/// MPEG frames of one size, as far as the beginning goes, and no header of a variable rate.
fn constant_rate(audio: &[u8], bytes: u64) -> Option<AudioMs> {
    let found = audio.get(suspicion::find_mpeg(audio, false)?..)?;
    let (opening, after) = frame(found)?;
    let holds = |mark: &[u8]| memchr::memmem::find(opening, mark).is_some();
    // Where an encoder writes what it knows of a variable rate, it writes `Info` of a constant one, in a frame that may have
    // another size than the rest.
    if holds(b"Xing") || holds(b"VBRI") {
        return None;
    }
    let mut rest = if holds(b"Info") { after } else { found };
    let first = Frame::parse(*rest.first_chunk()?)?;
    let mut frames = 0;
    while let Some(next) = rest.first_chunk().copied().and_then(Frame::parse) {
        // A frame may have a byte of padding.
        if !next.matches(first) || next.bytes.abs_diff(first.bytes) > 1 {
            return None;
        }
        frames += 1;
        let Some((_, after)) = frame(rest) else { break };
        rest = after;
    }
    let smallest = first.bytes.checked_sub(1).filter(|&bytes| bytes > 0 && frames > 2)?;
    let nanos = u128::from(bytes / smallest + 1).saturating_mul(u128::from(first.nanos()));
    u64::try_from(nanos / 1_000_000).ok().map(AudioMs::new)
}

/// The frame that `bytes` begin with, and what comes after it.
fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let frame = Frame::parse(*bytes.first_chunk()?)?;
    bytes.split_at_checked(usize::try_from(frame.bytes).ok()?)
}
