//! MPEG audio, layer III: frames whose rate may change, and the frame that says how to play them without gaps.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_MP3;

use super::decode::{Decode, Gapless, Undecoded};
use super::symphonia::Symphonia;
use crate::intake::media::MpegFrame;

/// The delay of a decoder in samples.
const DECODER_DELAY: u64 = 529;
const LAYER_THREE: u8 = 3;

/// A decoder of such frames.
#[derive(Default)]
pub(super) struct Mpeg {
    stream: Option<Stream>,
    has_changed: bool,
    begun: Option<Gapless>,
}

/// Frames of one kind.
struct Stream {
    frame: MpegFrame,
    channels: u8,
    decoder: Symphonia,
}

impl Decode for Mpeg {
    fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), Undecoded> {
        self.has_changed = false;
        let head = *packet.first_chunk::<4>().ok_or(Undecoded::Packet)?;
        let frame = MpegFrame::parse(head).ok_or(Undecoded::Packet)?;
        if frame.layer != LAYER_THREE {
            return Err(Undecoded::Feature("has MPEG audio of another layer than the third"));
        }
        let channels = if head[3] >> 6 == 0b11 { 1 } else { 2 };
        if let Some(gapless) = gapless(packet, frame, head) {
            // The frame holds no sound, and another stream begins with it.
            self.begun = Some(gapless);
            self.stream = None;
            return Ok(());
        }
        let stream = match &mut self.stream {
            Some(stream) if stream.frame.matches(frame) && stream.channels == channels => stream,
            other => {
                self.has_changed = true;
                let mut codec = AudioCodecParameters::new();
                codec.for_codec(CODEC_ID_MP3);
                other.insert(Stream { frame, channels, decoder: Symphonia::new(&codec)? })
            }
        };
        stream.decoder.decode(packet, frame.samples.into(), mono)
    }

    fn rate(&self) -> u32 {
        self.stream.as_ref().map_or(0, |stream| stream.frame.rate)
    }

    fn lost(&self, packet: Option<&[u8]>) -> u64 {
        let head = packet.and_then(|packet| packet.first_chunk().copied());
        let frame = head.and_then(MpegFrame::parse).or(self.stream.as_ref().map(|stream| stream.frame));
        frame.map_or(0, |frame| frame.samples.into())
    }

    fn has_changed(&self) -> bool {
        self.has_changed
    }

    fn begun(&mut self) -> Option<Gapless> {
        self.begun.take()
    }
}

/// Reads the header that LAME and other encoders write into a first frame without sound; `None` for any other frame.
fn gapless(packet: &[u8], frame: MpegFrame, head: [u8; 4]) -> Option<Gapless> {
    let is_mono = head[3] >> 6 == 0b11;
    let is_mpeg_1 = head[1] >> 3 & 0b11 == 0b11;
    let side_info = match (is_mpeg_1, is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let silent_nanos = frame.nanos();
    let check = if head[1] & 1 == 0 { 2 } else { 0 };
    let has_vbri = packet.get(36 + check..).is_some_and(|rest| rest.starts_with(b"VBRI"));
    if has_vbri {
        return Some(Gapless { skip: 0, end: None, silent_nanos });
    }
    let tag = packet.get(4 + check + side_info..)?;
    if !tag.starts_with(b"Xing") && !tag.starts_with(b"Info") {
        return None;
    }
    let word = |at: usize| tag.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
    let flags = word(4).unwrap_or_default();
    let frames = (flags & 1 != 0).then(|| word(8)).flatten();
    let fields = [(1, 4), (2, 4), (4, 100), (8, 4)].iter().filter(|(flag, _)| flags & flag != 0);
    let lame = tag.get(8 + fields.map(|(_, bytes)| bytes).sum::<usize>()..).unwrap_or_default();
    let is_known = lame.starts_with(b"LAME") || lame.starts_with(b"Lavf") || lame.starts_with(b"Lavc");
    let (delay, padding) = match lame.get(21..24) {
        Some(&[a, b, c]) if is_known => {
            let both = u64::from(u32::from_be_bytes([0, a, b, c]));
            (both >> 12, both & 0xfff)
        }
        _ => return Some(Gapless { skip: 0, end: None, silent_nanos }),
    };
    let all = frames.map(|frames| u64::from(frames).saturating_mul(frame.samples.into()));
    let end = all.map(|all| all.saturating_add(DECODER_DELAY).saturating_sub(padding));
    Some(Gapless { skip: delay + DECODER_DELAY, end, silent_nanos })
}
