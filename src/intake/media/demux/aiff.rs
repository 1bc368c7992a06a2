//! AIFF and AIFF-C (Apple's "Audio Interchange File Format" 1.3 and AIFF-C draft): chunks in big-endian order. `COMM` describes
//! the sound, and the first `SSND` after it is the sound, as ffmpeg reads it. The number of samples in `COMM` does not count.

use super::super::codec::{TrackParams, Wants, table, tags};
use super::super::{Container, MediaError};
use super::{Demuxer, PacketSink, Step, TrackId};

/// The size of the header of the file, and of the header of a chunk.
const FORM_HEADER: usize = 12;
const CHUNK_HEADER: usize = 8;
/// The size of the fields of `COMM`, with the codec's code in AIFF-C.
const PLAIN_FIELDS: usize = 18;
const FIELDS: usize = 22;
/// The size of the fields in `SSND` before the sound.
const SOUND_FIELDS: usize = 8;
/// The size of a block of one channel of IMA 4:1 (Apple TN1081).
const IMA_BLOCK: u32 = 34;
const TRACK: TrackId = TrackId(0);

/// A demuxer for AIFF.
pub(in super::super) struct Aiff {
    state: State,
    is_compressed: bool,
    format: Option<TrackParams>,
    /// The number of bytes from the window to the end of the recording.
    left: u64,
}

enum State {
    Form,
    Chunk,
    /// The sound: `left` bytes of it remain, and `seen` are processed.
    Sound {
        left: u64,
        seen: u64,
        wants: Wants,
    },
    Ended,
}

impl Aiff {
    /// Creates a demuxer for a recording of `size` bytes.
    pub(in super::super) fn new(size: u64) -> Self {
        Self { state: State::Form, is_compressed: false, format: None, left: size }
    }

    fn chunk(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let Some(&[a, b, c, d, s0, s1, s2, s3]) = window.first_chunk::<CHUNK_HEADER>() else {
            return if at_end { Err(self.unfinished()) } else { Ok(Step::Need(CHUNK_HEADER)) };
        };
        let size = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
        let padded = 8 + size + size % 2;
        match &[a, b, c, d] {
            b"COMM" if self.format.is_some() => {
                Err(MediaError::Feature { container: Container::Aiff, what: "describes its sound twice" })
            }
            b"COMM" => {
                let fields = if self.is_compressed { FIELDS } else { PLAIN_FIELDS };
                match window.get(CHUNK_HEADER..CHUNK_HEADER + fields) {
                    None if !at_end => return Ok(Step::Need(CHUNK_HEADER + fields)),
                    Some(fields) => self.format = Some(self.parse(fields)),
                    None => return Err(self.unfinished()),
                }
                Ok(Step::Advance(padded))
            }
            b"SSND" => self.sound(size, window, at_end, sink),
            _ => Ok(Step::Advance(padded)),
        }
    }

    fn sound(&mut self, size: u64, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let head = CHUNK_HEADER + SOUND_FIELDS;
        let Some(offset) = window.get(CHUNK_HEADER..head).and_then(<[u8]>::first_chunk) else {
            return if at_end { Ok(Step::End) } else { Ok(Step::Need(head)) };
        };
        let Some(format) = &self.format else { return Err(self.unfinished()) };
        if u32::from_be_bytes(*offset) != 0 {
            let what = "begins its sound at an offset, which some players skip and others do not";
            return Err(MediaError::Feature { container: Container::Aiff, what });
        }
        sink.track(TRACK, format)?;
        // A chunk that states more bytes than there are was cut off.
        let left = size.saturating_sub(8).min(self.left.saturating_sub(16));
        let wants = sink.begin(TRACK, left, None);
        self.state = State::Sound { left, seen: 0, wants };
        Ok(Step::Advance(16))
    }

    /// Reads a `COMM`.
    fn parse(&self, fields: &[u8]) -> TrackParams {
        let short = |at: usize| fields.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u16::from_be_bytes);
        let (channels, bits) = (short(0), short(6));
        let rate = fields.get(8..18).and_then(<[u8]>::first_chunk).map_or(0, |rate| extended(*rate));
        let code = fields.get(18..22).and_then(<[u8]>::first_chunk).copied().filter(|_| self.is_compressed);
        let codec = match code.as_ref() {
            None | Some(b"NONE" | b"twos") => match bits {
                1..=8 => Ok(table::PCM_S8),
                9..=16 => Ok(table::PCM_S16BE),
                17..=24 => Ok(table::PCM_S24BE),
                25..=32 => Ok(table::PCM_S32BE),
                _ => Err(format!("PCM of {bits} bits")),
            },
            Some(b"sowt") if bits == 16 => Ok(table::PCM_S16LE),
            Some(b"raw ") if bits == 8 => Ok(table::PCM_U8),
            Some(b"sowt" | b"raw ") => Err(format!("PCM of {bits} bits in another order")),
            Some(code) => {
                let codec = tags::from_fourcc(*code, bits);
                codec.and_then(|codec| match codec.name() {
                    "adpcm_ima_qt" | "pcm_f32be" | "pcm_f64be" | "pcm_alaw" | "pcm_mulaw" | "pcm_s24be"
                    | "pcm_s32be" => Ok(codec),
                    other => Err(other.to_owned()),
                })
            }
        };
        let block_bytes = IMA_BLOCK.saturating_mul(channels.into());
        let setup = Vec::new();
        TrackParams { codec, rate, channels, bits, block_bytes, setup }
    }

    fn unfinished(&self) -> MediaError {
        let missing =
            if self.format.is_some() { "its sound (SSND) is missing" } else { "its format (COMM) is missing" };
        MediaError::Unfinished { container: Container::Aiff, missing }
    }

    fn sound_bytes(&mut self, window: &[u8], sink: &mut dyn PacketSink) -> Step {
        let State::Sound { left, seen, wants } = &mut self.state else { return Step::End };
        let shown = length(window).min(*left);
        if shown == 0 {
            sink.end(TRACK);
            self.state = State::Ended;
            return Step::End;
        }
        let wanted = match *wants {
            Wants::Everything => shown,
            Wants::First(count) => shown.min(u64::try_from(count).unwrap_or(u64::MAX).saturating_sub(*seen)),
            Wants::Nothing => 0,
        };
        let bytes = usize::try_from(wanted).ok().and_then(|wanted| window.get(..wanted)).unwrap_or_default();
        if !bytes.is_empty() {
            sink.bytes(TRACK, bytes);
        }
        if shown > wanted {
            sink.unseen(TRACK, shown - wanted);
        }
        *seen = seen.saturating_add(shown);
        *left -= shown;
        Step::Advance(shown)
    }
}

impl Demuxer for Aiff {
    fn step(&mut self, window: &[u8], at_end: bool, sink: &mut dyn PacketSink) -> Result<Step, MediaError> {
        let step = match self.state {
            State::Form if window.len() < FORM_HEADER && !at_end => Step::Need(FORM_HEADER),
            State::Form => {
                self.is_compressed = window.get(8..12) == Some(b"AIFC");
                self.state = State::Chunk;
                Step::Advance(12)
            }
            State::Chunk => self.chunk(window, at_end, sink)?,
            State::Sound { .. } => self.sound_bytes(window, sink),
            State::Ended => Step::End,
        };
        if let Step::Advance(count) = step {
            self.left = self.left.saturating_sub(count);
        }
        Ok(step)
    }
}

/// Returns an 80-bit float (IEEE 754 extended) as a rate, to the nearest; 0 for one that is no rate.
fn extended([e0, e1, mantissa @ ..]: [u8; 10]) -> u32 {
    const BIAS: u16 = 16_383 + 63;
    let mantissa = u64::from_be_bytes(mantissa);
    let exponent = u16::from_be_bytes([e0, e1]);
    let Some(shift @ 1..64) = BIAS.checked_sub(exponent) else { return 0 };
    let rounded = mantissa.checked_add(1 << (shift - 1)).unwrap_or(mantissa);
    u32::try_from(rounded >> shift).unwrap_or_default()
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_from_extended_floats() {
        assert_eq!(extended([0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]), 44_100);
        assert_eq!(extended([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]), 8_000);
        for odd in [[0; 10], [0xff; 10], [0x40, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(extended(odd), 0, "{odd:?}");
        }
    }
}
