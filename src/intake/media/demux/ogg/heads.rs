//! The content of a stream, from its first packets.

use crate::intake::media::codec::{TrackParams, table, tags};
use crate::intake::media::demux::matroska::vorbis_setup;

/// The maximum number of bytes kept of a packet at the beginning of a stream. Comments are not kept.
const MAX_KEPT: usize = 64 * 1024;

/// The beginning of a stream, packet by packet.
#[derive(Debug, Clone)]
pub(super) struct Head {
    kind: Kind,
    /// The first header of Vorbis.
    identification: Vec<u8>,
    /// The number of packets seen.
    packets: u32,
}

/// The codec of a stream, by its first packet (each codec's mapping into Ogg).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opus (RFC 7845).
    Opus,
    /// Vorbis (Vorbis I, appendix A).
    Vorbis,
    /// FLAC (RFC 9639 §10.1).
    Flac,
    /// FLAC in its mapping before RFC 9639 §10.1.
    OldFlac,
    Speex,
    /// OGM: a stream as in AVI, with a RIFF tag.
    Ogm,
    /// OGM with the stream description of `DirectShow`.
    OldOgm,
    /// CELT, which is not supported, like [`Kind::Pcm`].
    Celt,
    Pcm,
}

/// The kind of a packet at the beginning of a stream.
#[derive(Debug)]
pub(super) enum Packet {
    /// A header.
    Header,
    /// The last header needed, with the description that the headers make.
    Described(Box<TrackParams>),
    /// Sound.
    Sound,
}

impl Kind {
    /// Returns the codec that `packet` announces; `None` for pictures, texts and unknown codecs.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
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

    /// Returns the number of bytes before the codec's bytes in a packet.
    pub(super) fn prefix(self, packet: &[u8]) -> usize {
        match (self, packet.first()) {
            // The flags state the number of bytes after them that hold the packet's length.
            (Self::Ogm | Self::OldOgm, Some(flags)) => usize::from((flags & 2) << 1 | flags >> 6) + 1,
            _ => 0,
        }
    }
}

impl Head {
    /// Returns the number of bytes held.
    pub(super) fn held(&self) -> usize {
        self.identification.len()
    }

    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, identification: Vec::new(), packets: 0 }
    }

    /// Returns the number of bytes to keep of a packet that begins with `bytes`.
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

    /// Takes the kept bytes of the next packet, and returns its kind.
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
            // Metadata blocks. The first describes the stream; frames begin with 0xff.
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

/// Reads the header of an OGM stream: a tag in hexadecimal digits, and times in units of 100 ns.
fn ogm(packet: &[u8]) -> TrackParams {
    let half = |at: usize| packet.get(at..)?.first_chunk().copied().map(u16::from_le_bytes);
    let long = |at: usize| packet.get(at..)?.first_chunk().copied().map(u64::from_le_bytes);
    let digits = packet.get(9..13).unwrap_or_default();
    let digits = digits.split(|digit| !digit.is_ascii_hexdigit()).next().unwrap_or_default();
    let tag = std::str::from_utf8(digits).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let codec = tag.map_or_else(|| Err("OGM".to_owned()), |tag| tags::from_wave_tag(tag, 16));
    let rate = long(25).and_then(|samples| samples.checked_mul(10_000_000)?.checked_div(long(17)?));
    // AAC's configuration begins four bytes later.
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
