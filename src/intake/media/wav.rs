//! The length of a WAV file, by arithmetic: the bytes of sound that are there over the bytes of a second.
//!
//! The chunks are read here rather than by a library because what is charged for is what a lenient decoder would play:
//! all data chunks, and data that runs on past what its chunk admits to.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::{Codec, Container, Length, MediaError, bound};
use crate::units::AudioMs;

const RIFF_HEADER: u64 = 12;

/// Sizes that mean "not known when this was written": a live recorder's.
const UNKNOWN: [u32; 2] = [0, u32::MAX];

pub(super) fn measure<S: Read + Seek>(source: S, bytes: u64) -> Result<(Option<Codec>, Length), MediaError> {
    let (format, sound) = chunks(source, bytes)?;
    if sound == 0 {
        return Err(MediaError::NoAudioTrack { container: Container::Wav });
    }
    let length = match &format {
        Some(Format { block: Some(block), .. }) => block.length(sound).map(Length::Measured),
        _ => None,
    };
    let codec = format.and_then(|format| format.codec);
    let bound = || Length::AtMost(bound::longest(sound, bound::floor(Container::Wav, codec)));
    Ok((codec, length.unwrap_or_else(bound)))
}

/// How long a file of `bytes` bytes is that begins with `head`, by its format and the sound that it says it has; whether it
/// is that unless it lies. Where its sound begins further in, it is no longer than what is left would be.
pub(super) fn claim(head: &[u8], bytes: u64) -> Option<(AudioMs, bool)> {
    let (mut at, mut format) = (RIFF_HEADER, None);
    loop {
        let rest = head.get(usize::try_from(at).ok()?..).and_then(|rest| rest.split_at_checked(8));
        let length = |sound: u64| format.as_ref().and_then(|Format { block, .. }| block.as_ref()?.length(sound));
        let Some((header, content)) = rest else { return Some((length(bytes.checked_sub(at)?)?, false)) };
        let [id @ .., a, b, c, d] = header.first_chunk::<8>()?;
        let stated = u32::from_le_bytes([*a, *b, *c, *d]);
        let (size, left) = (u64::from(stated), bytes.checked_sub(at + 8)?);
        match id {
            b"data" => {
                let sound = if UNKNOWN.contains(&stated) { left } else { size.min(left) };
                return Some((length(sound)?, true));
            }
            b"fmt " if format.is_none() => format = Format::parse(content.get(..content.len().min(40))?),
            _ => {}
        }
        at += 8 + size + (size & 1);
    }
}

/// The format, and how many bytes of sound there are.
fn chunks<S: Read + Seek>(source: S, bytes: u64) -> io::Result<(Option<Format>, u64)> {
    let mut source = BufReader::new(source);
    source.seek(SeekFrom::Start(RIFF_HEADER))?;
    let mut at = RIFF_HEADER;
    let mut format = None;
    let mut sound: u64 = 0;
    // Each round passes at least the eight bytes of a chunk's header.
    while let Some(left) = bytes.checked_sub(at).filter(|&left| left > 8) {
        let mut header = [0; 8];
        source.read_exact(&mut header)?;
        let [a, b, c, d, size @ ..] = header;
        let id = [a, b, c, d];
        let stated = u32::from_le_bytes(size);
        let left = left - 8;
        let mut size = u64::from(stated);
        match &id {
            b"data" => {
                if UNKNOWN.contains(&stated) {
                    size = left;
                }
                sound += size.min(left);
            }
            b"fmt " if format.is_none() => {
                let mut fields = Vec::new();
                let read = source.by_ref().take(size.min(40)).read_to_end(&mut fields)?;
                source.seek_relative(-i64::try_from(read).unwrap_or_default())?;
                format = Format::parse(&fields);
            }
            // Behind the sound, what is no chunk is more sound than its header said.
            _ if sound > 0 && (size > left || !id.iter().all(|byte| (b' '..=b'~').contains(byte))) => {
                sound += left + 8;
                break;
            }
            _ => {}
        }
        // Chunks are aligned to two bytes.
        let step = size.min(left) + (size & 1);
        source.seek_relative(i64::try_from(step).unwrap_or(i64::MAX))?;
        at += 8 + step;
    }
    Ok((format, sound))
}

/// What the `fmt ` chunk says.
struct Format {
    codec: Option<Codec>,
    block: Option<Block>,
}

/// The smallest piece that can be played: one sample of each channel, or an ADPCM block.
struct Block {
    bytes: u64,
    frames: u64,
    rate: u64,
}

impl Format {
    fn parse(fields: &[u8]) -> Option<Self> {
        const EXTENSIBLE: u16 = 0xfffe;
        let short = |at: usize| fields.get(at..)?.first_chunk().copied().map(u16::from_le_bytes);
        let rate = fields.get(4..)?.first_chunk().copied().map(u32::from_le_bytes)?;
        let (mut tag, channels, align, bits) = (short(0)?, u64::from(short(2)?), u64::from(short(12)?), short(14)?);
        if tag == EXTENSIBLE {
            tag = short(24)?;
        }
        // Sizes follow from what is encoded; the stated alignment could lie, and counts only where it is the block's size.
        let samples = |bytes: u64| (bytes * channels, 1);
        let adpcm = |head: u64, first: u64| {
            let nibbles = align.saturating_sub(head * channels) * 2;
            (align, first + nibbles.checked_div(channels).unwrap_or_default())
        };
        let (name, (bytes, frames)) = match (tag, bits) {
            (1, 1..=8) => ("pcm_u8", samples(1)),
            (1, 9..=16) => ("pcm_s16le", samples(2)),
            (1, 17..=24) => ("pcm_s24le", samples(3)),
            (1, 25..=32) => ("pcm_s32le", samples(4)),
            (3, 32) => ("pcm_f32le", samples(4)),
            (3, 64) => ("pcm_f64le", samples(8)),
            (6, _) => ("pcm_alaw", samples(1)),
            (7, _) => ("pcm_mulaw", samples(1)),
            (2, _) => ("adpcm_ms", adpcm(7, 2)),
            (0x11, _) => ("adpcm_ima_wav", adpcm(4, 1)),
            (0x31, _) => ("gsm_ms", (65, 320)),
            (0x50, _) => ("mp2", (0, 0)),
            (0x55, _) => ("mp3", (0, 0)),
            (0xff, _) => ("aac", (0, 0)),
            _ => return Some(Self { codec: None, block: None }),
        };
        let block = (bytes > 0 && frames > 0).then_some(Block { bytes, frames, rate: u64::from(rate) });
        Some(Self { codec: Some(Codec(name)), block })
    }
}

impl Block {
    fn length(&self, sound: u64) -> Option<AudioMs> {
        AudioMs::from_frames(sound.saturating_mul(self.frames).div_ceil(self.bytes), self.rate)
    }
}
