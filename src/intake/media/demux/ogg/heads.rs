//! What a stream is, by the packets that it begins with.

use crate::intake::media::codec::{TrackParams, table, tags};
use crate::intake::media::demux::matroska::vorbis_setup;

/// The most of a packet at a stream's beginning that is kept. Comments are not.
const MAX_KEPT: usize = 64 * 1024;

/// A stream's beginning, packet by packet.
#[derive(Debug)]
pub(super) struct Head {
    kind: Kind,
    /// Vorbis' first header.
    identification: Vec<u8>,
    /// How many packets were seen.
    packets: u32,
}

/// What a stream holds, by its first packet (each codec's mapping into Ogg).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// RFC 7845.
    Opus,
    /// Vorbis I, appendix A.
    Vorbis,
    /// RFC 9639 §10.1.
    Flac,
    /// FLAC as it was put into Ogg before that.
    OldFlac,
    Speex,
    /// What was an AVI's stream, with a tag of RIFF's.
    Ogm,
    /// `DirectShow`'s description of one.
    OldOgm,
    /// Codecs that are not counted.
    Celt,
    Pcm,
}

/// What a packet at a stream's beginning is.
#[derive(Debug)]
pub(super) enum Packet {
    /// A header.
    Header,
    /// A header, and the last that is needed.
    Described(Box<TrackParams>),
    /// Sound.
    Sound,
}

impl Kind {
    /// `None` for pictures, texts and what is not known.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        const MARKS: &[(&[u8], Kind)] = &[
            (b"OpusHead", Kind::Opus),
            (b"\x01vorbis", Kind::Vorbis),
            (b"\x7fFLAC", Kind::Flac),
            (b"fLaC", Kind::OldFlac),
            (b"Speex   ", Kind::Speex),
            (b"\x01audio", Kind::Ogm),
            (b"\x01Direct Show Samples embedded in Ogg", Kind::OldOgm),
            (b"CELT    ", Kind::Celt),
            (b"PCM     ", Kind::Pcm),
        ];
        MARKS.iter().find(|(mark, _)| packet.starts_with(mark)).map(|(_, kind)| *kind)
    }

    /// How many bytes each packet begins with that are not the codec's.
    pub(super) fn prefix(self, packet: &[u8]) -> usize {
        match (self, packet.first()) {
            // The flags say how many bytes of the packet's length follow them.
            (Self::Ogm | Self::OldOgm, Some(flags)) => usize::from((flags & 2) << 1 | flags >> 6) + 1,
            _ => 0,
        }
    }
}

impl Head {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, identification: Vec::new(), packets: 0 }
    }

    /// How much has to be kept of a packet that begins with `bytes`.
    pub(super) fn kept(&self, bytes: &[u8]) -> usize {
        let is_comments = match self.kind {
            Kind::Vorbis => bytes.starts_with(b"\x03"),
            Kind::Opus | Kind::Speex => self.packets == 1,
            Kind::Flac | Kind::OldFlac => {
                self.packets > 0 && bytes.first().is_some_and(|first| !matches!(first, 0 | 0x80 | 0xff))
            }
            _ => false,
        };
        if is_comments { 16 } else { MAX_KEPT }
    }

    /// The next packet, as far as it was kept.
    pub(super) fn push(&mut self, packet: &[u8]) -> Packet {
        let count = self.packets;
        self.packets = count.saturating_add(1);
        let word = |at: usize| packet.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let half = |at: usize| packet.get(at..)?.first_chunk().copied().map(u16::from_le_bytes);
        let plain = TrackParams { setup: packet.to_vec(), ..TrackParams::default() };
        let described = |params| Packet::Described(Box::new(params));
        match self.kind {
            Kind::Opus if count == 0 => {
                let channels = packet.get(9).copied().unwrap_or_default().into();
                described(TrackParams { codec: Ok(table::OPUS), rate: 48_000, channels, ..plain })
            }
            Kind::Opus if count == 1 && packet.starts_with(b"OpusTags") => Packet::Header,
            Kind::Vorbis => match packet.first() {
                Some(1) => {
                    self.identification = packet.to_vec();
                    Packet::Header
                }
                Some(5) => {
                    let setup = vorbis_setup(&self.identification, packet);
                    described(TrackParams { codec: Ok(table::VORBIS), setup, ..TrackParams::default() })
                }
                Some(first) if first & 1 != 0 => Packet::Header,
                _ => Packet::Sound,
            },
            Kind::Flac if count == 0 => {
                let setup = packet.get(9..).unwrap_or_default().to_vec();
                described(TrackParams { codec: Ok(table::FLAC), setup, ..TrackParams::default() })
            }
            // Blocks of metadata; the first describes the stream, but not its frames.
            Kind::Flac | Kind::OldFlac if packet.first() != Some(&0xff) => match packet {
                [0 | 0x80, _, _, _, setup @ ..] if self.kind == Kind::OldFlac => {
                    let setup = setup.get(..34).unwrap_or(setup).to_vec();
                    described(TrackParams { codec: Ok(table::FLAC), setup, ..TrackParams::default() })
                }
                _ if count == 0 => described(TrackParams { codec: Ok(table::FLAC), setup: Vec::new(), ..plain }),
                _ => Packet::Header,
            },
            Kind::Speex if count == 0 => {
                let channels = word(48).and_then(|channels| u16::try_from(channels).ok()).unwrap_or_default();
                described(TrackParams {
                    codec: Ok(table::SPEEX),
                    rate: word(36).unwrap_or_default(),
                    channels,
                    ..plain
                })
            }
            Kind::Speex if count == 1 => Packet::Header,
            Kind::Ogm if count == 0 => described(ogm(packet)),
            Kind::OldOgm if count == 0 => {
                let codec = half(124).map_or_else(|| Err("DirectShow".to_owned()), |tag| tags::from_wave_tag(tag, 16));
                let (rate, channels) = (word(128).unwrap_or_default(), half(126).unwrap_or_default());
                described(TrackParams { codec, rate, channels, ..TrackParams::default() })
            }
            Kind::Ogm | Kind::OldOgm if packet.first().is_some_and(|first| first & 1 != 0) => Packet::Header,
            Kind::Celt if count == 0 => described(TrackParams { codec: Err("celt".to_owned()), ..plain }),
            Kind::Pcm if count == 0 => described(TrackParams { codec: Err("Ogg PCM".to_owned()), ..plain }),
            _ => Packet::Sound,
        }
    }
}

/// The header of an OGM stream: a tag in hexadecimal digits, and the time in units of 100 ns.
fn ogm(packet: &[u8]) -> TrackParams {
    let half = |at: usize| packet.get(at..)?.first_chunk().copied().map(u16::from_le_bytes);
    let long = |at: usize| packet.get(at..)?.first_chunk().copied().map(u64::from_le_bytes);
    let digits = packet.get(9..13).unwrap_or_default();
    let digits = digits.split(|digit| !digit.is_ascii_hexdigit()).next().unwrap_or_default();
    let tag = std::str::from_utf8(digits).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let codec = tag.map_or_else(|| Err("OGM".to_owned()), |tag| tags::from_wave_tag(tag, 16));
    let rate = long(25).and_then(|samples| samples.checked_mul(10_000_000)?.checked_div(long(17)?));
    // AAC's configuration stands four bytes further back.
    let at = if codec == Ok(table::AAC) { 57 } else { 53 };
    TrackParams {
        codec,
        rate: rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or_default(),
        channels: half(45).unwrap_or_default(),
        bits: 16,
        block_bytes: half(47).unwrap_or_default().into(),
        setup: packet.get(at..).unwrap_or_default().to_vec(),
    }
}
