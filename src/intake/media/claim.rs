//! The provisional length of a recording, from its beginning alone, while the rest is still arriving.
//!
//! This module believes headers, but only provisionally: the measurement of the whole recording replaces the claim, even if
//! the recording turns out longer than claimed.

use super::codec::mpeg::Frame;
use super::codec::suspicion;
use super::demux::{matroska, wav};
use super::{Container, detect, tally};
use crate::domain::AudioMs;

/// The format and length that the beginning of a recording states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The container of the audio.
    pub container: Container,
    /// The maximum length according to the header, or the bound for the file's size. The recording may be shorter: a
    /// little, because of bytes that are no audio, or much, if this is only that bound.
    pub length: AudioMs,
    /// True if the recording's header states its length, provided that it is true: exactly, or but for a packet or two.
    pub is_stated: bool,
}

/// Returns the claim of `head`, the beginning of a recording of `bytes` bytes, or `None` if `head` does not show the
/// container.
pub fn claim(head: &[u8], bytes: u64) -> Option<Claim> {
    let (container, audio) = detect::beginning(head)?;
    let bound = || tally::max_duration(bytes, container.min_bits_per_second());
    // A header with a packet or two of margin may state more than such a file can hold.
    let near = |length: AudioMs| (length.min(bound()), true);
    let found = match container {
        Container::Wav => wav::claim(audio, bytes),
        Container::Flac => flac(audio).map(|length| (length, true)),
        // Not stated without a number of frames, since the bytes of tags count as sound.
        Container::Mp3 => stated_frames(audio).map(near).or_else(|| Some((constant_rate(audio, bytes)?, false))),
        Container::Webm => matroska::claim(audio).map(near),
        Container::Ogg | Container::Mp4 | Container::Aiff | Container::Caf => None,
    };
    let (length, is_stated) = found.unwrap_or_else(|| (bound(), false));
    Some(Claim { container, length, is_stated })
}

/// Returns the length in `STREAMINFO`, or `None` if the encoder left it unknown (RFC 9639 §8.2).
fn flac(audio: &[u8]) -> Option<AudioMs> {
    // After the marker: a block header, sizes of blocks and frames, then 20 bits of sample rate, 8 of channels and sample
    // size, and 36 of the number of samples.
    let block = audio.get(4..)?.first_chunk::<22>()?;
    let &[kind, .., r0, r1, r2, s0, s1, s2, s3, s4] = block;
    let rate = u64::from(u32::from_be_bytes([0, r0, r1, r2]) >> 4);
    let samples = u64::from_be_bytes([0, 0, 0, s0 & 0x0f, s1, s2, s3, s4]);
    let is_stream_info = matches!(kind, 0 | 0x80);
    if is_stream_info && samples > 0 { AudioMs::from_frames(samples, rate) } else { None }
}

/// Returns the length of MPEG audio by the number of frames in its first one, which encoders mark with `Xing` for a
/// variable rate and with `Info` for a constant one, and that frame itself.
fn stated_frames(audio: &[u8]) -> Option<AudioMs> {
    let found = audio.get(suspicion::find_mpeg(audio, false)?..)?;
    let (opening, _) = frame(found)?;
    let mark = [b"Xing", b"Info"].into_iter().find_map(|mark| memchr::memmem::find(opening, mark))?;
    let (flags, frames) = opening.get(mark + 4..)?.split_first_chunk::<4>()?;
    // The lowest flag says that the number of frames follows.
    let states_frames = u32::from_be_bytes(*flags) & 1 == 1;
    let frames = u32::from_be_bytes(*frames.first_chunk()?);
    let nanos = u64::from(frames).saturating_add(1).saturating_mul(Frame::parse(*opening.first_chunk()?)?.nanos());
    (states_frames && frames > 0).then(|| AudioMs::new(nanos.div_ceil(1_000_000)))
}

/// Returns the length of MPEG audio with a constant bit rate, or `None` if the frames in `audio` differ in size or a header
/// announces a variable rate.
fn constant_rate(audio: &[u8], bytes: u64) -> Option<AudioMs> {
    let found = audio.get(suspicion::find_mpeg(audio, false)?..)?;
    let (opening, after) = frame(found)?;
    let holds = |mark: &[u8]| memchr::memmem::find(opening, mark).is_some();
    // Encoders write `Xing` or `VBRI` for a variable rate and `Info` for a constant one. The frame with `Info` may differ in
    // size from the rest.
    if holds(b"Xing") || holds(b"VBRI") {
        return None;
    }
    let mut rest = if holds(b"Info") { after } else { found };
    let first = Frame::parse(*rest.first_chunk()?)?;
    let mut frames = 0;
    while let Some(next) = rest.first_chunk().copied().and_then(Frame::parse) {
        // Frames may differ by one byte of padding.
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

/// Splits `bytes` after the frame at their beginning.
fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let frame = Frame::parse(*bytes.first_chunk()?)?;
    bytes.split_at_checked(usize::try_from(frame.bytes).ok()?)
}
