//! Logical streams, which split pages into packets.

use super::heads::{Head, Kind, Packet};
use super::page::Page;
use crate::intake::media::codec::{TrackParams, Wants};
use crate::intake::media::demux::{MAX_TRACKS, PacketSink, PageEnd, TrackId};
use crate::intake::media::{Container, MediaError};

/// The maximum number of multiplexed streams of any kind.
const MAX_STREAMS: usize = 4 * MAX_TRACKS;

/// The maximum number of bytes kept of a packet that continues in later pages: more than a FLAC frame of eight channels. The
/// limit is [`MAX_PACKET_OF_MANY`] if there are more than [`MANY`] streams.
const MAX_PACKET: usize = 128 * 1024;
const MAX_PACKET_OF_MANY: usize = 16 * 1024;
const MANY: usize = 4;

/// The multiplexed streams.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    streams: Vec<Stream>,
}

/// A logical stream.
#[derive(Debug, Clone)]
struct Stream {
    serial: u32,
    /// The codec; `None` if the stream is not audio.
    kind: Option<Kind>,
    /// The beginning of the stream; `None` after the first packet of sound.
    head: Option<Head>,
    /// The kept bytes of the packet that continues in the next page; `unkept` is the number of its other bytes.
    packet: Vec<u8>,
    unkept: u64,
    is_open: bool,
    /// True if its last page was not its first. An unknown stream after that is another link of a chain.
    has_data: bool,
    /// The number of the next page, if a page has come.
    next_page: Option<u32>,
    /// True if a page is missing since the last page with a position.
    has_gap: bool,
    receivers: Vec<Receiver>,
}

/// A receiver of the packets of a stream.
#[derive(Debug, Clone)]
struct Receiver {
    id: TrackId,
    kind: Kind,
    params: TrackParams,
    is_declared: bool,
}

impl Streams {
    /// Processes a page.
    pub(super) fn page(&mut self, page: &Page, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        let kind = Kind::parse(page.content);
        let index = match self.streams.iter().position(|stream| stream.serial == page.serial) {
            Some(index) => index,
            None if self.streams.iter().any(|stream| stream.has_data) => {
                // The codec of the stream is unknown.
                if kind.is_none() {
                    return Ok(());
                }
                sink.link();
                self.streams.clear();
                self.add(page.serial, kind)?
            }
            None => self.add(page.serial, kind)?,
        };
        let many = self.streams.len() > MANY;
        let begins = page.begins && !page.continues;
        if begins
            && let Some(kind) = kind
            && self.streams.get(index).is_some_and(|stream| stream.has_data && !stream.is_open)
        {
            // The file is joined with itself, so its streams have the same serial numbers.
            sink.link();
            let receivers = self.streams.iter_mut().flat_map(|stream| &mut stream.receivers);
            receivers.for_each(|receiver| receiver.is_declared = false);
            if let Some(stream) = self.streams.get_mut(index) {
                stream.begin_anew(kind);
            }
        }
        match self.streams.get_mut(index) {
            Some(stream) => stream.page(page, many, to_u64(index), sink),
            None => Ok(()),
        }
    }

    /// Returns the number of bytes held of packets, and of the descriptions of tracks.
    pub(super) fn held(&self) -> usize {
        let described = |stream: &Stream| -> usize {
            let receivers = stream.receivers.iter().map(|receiver| receiver.params.setup.len());
            receivers.sum::<usize>() + stream.head.as_ref().map_or(0, Head::held)
        };
        self.streams.iter().map(|stream| stream.packet.len() + described(stream)).sum()
    }

    fn add(&mut self, serial: u32, kind: Option<Kind>) -> Result<usize, MediaError> {
        if self.streams.len() >= MAX_STREAMS {
            return Err(MediaError::TooManyTracks { container: Container::Ogg, allowed: MAX_TRACKS });
        }
        self.streams.push(Stream {
            serial,
            kind,
            head: kind.map(Head::new),
            packet: Vec::new(),
            unkept: 0,
            is_open: false,
            has_data: false,
            next_page: None,
            has_gap: false,
            receivers: Vec::new(),
        });
        Ok(self.streams.len() - 1)
    }
}

impl Stream {
    /// Begins another stream with the same serial number. Players may not notice and decode it like the one before, except for
    /// the codecs whose decoders recognise headers among their packets.
    fn begin_anew(&mut self, kind: Kind) {
        let knows_headers = matches!(kind, Kind::Opus | Kind::Vorbis | Kind::Flac | Kind::OldFlac);
        if knows_headers && self.kind == Some(kind) {
            self.receivers.clear();
        } else {
            self.receivers.truncate(1);
            for receiver in &mut self.receivers {
                receiver.id = id_before(receiver.id);
            }
        }
        self.kind = Some(kind);
        self.head = Some(Head::new(kind));
    }

    fn page(&mut self, page: &Page, many: bool, index: u64, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        self.has_data = !page.begins;
        let Some(kind) = self.kind else { return Ok(()) };
        let expected = self.next_page.replace(page.number.wrapping_add(1));
        self.has_gap |= expected.is_some_and(|expected| expected != page.number);
        if let Some(granule) = page.granule {
            let is_after_gap = std::mem::take(&mut self.has_gap);
            let end = PageEnd { granule, is_last: page.ends, is_after_gap };
            self.receivers.iter().for_each(|receiver| sink.ends_at(receiver.id, end));
        }
        let (mut segments, mut content) = (page.segments, page.content);
        let goes_on = page.continues || self.is_open;
        if !goes_on || !self.is_open {
            self.drop_packet();
        }
        if goes_on && !self.is_open {
            // Skip the rest of a packet whose beginning is missing.
            let (length, rest) = first_packet(segments);
            segments = rest;
            content = content.get(length..).unwrap_or_default();
        }
        while !segments.is_empty() {
            let closed = segments.iter().any(|segment| *segment < 255);
            let (length, rest) = first_packet(segments);
            segments = rest;
            let (piece, behind) = content.split_at_checked(length).unwrap_or((content, &[]));
            content = behind;
            if closed && !self.is_open {
                if piece.is_empty() && self.head.is_none() {
                    continue;
                }
                self.packet(kind, piece, 0, index, sink)?;
                continue;
            }
            self.keep(piece, many);
            self.is_open = !closed && (!self.packet.is_empty() || self.unkept > 0);
            if closed {
                let packet = std::mem::take(&mut self.packet);
                let unkept = std::mem::take(&mut self.unkept);
                self.packet(kind, &packet, unkept, index, sink)?;
                self.packet = packet;
                self.drop_packet();
            }
        }
        Ok(())
    }

    fn drop_packet(&mut self) {
        self.packet.clear();
        self.unkept = 0;
        self.is_open = false;
    }

    fn keep(&mut self, piece: &[u8], many: bool) {
        let max_held = match &self.head {
            Some(head) => head.kept(if self.packet.is_empty() { piece } else { &self.packet }),
            None if many => MAX_PACKET_OF_MANY,
            None => MAX_PACKET,
        };
        let free = max_held.saturating_sub(self.packet.len());
        let (kept, unkept) = piece.split_at_checked(free).unwrap_or((piece, &[]));
        self.packet.extend_from_slice(kept);
        self.unkept = self.unkept.saturating_add(to_u64(unkept.len()));
    }

    /// Processes a packet: its kept bytes, and the number of its other bytes.
    fn packet(
        &mut self,
        kind: Kind,
        packet: &[u8],
        unkept: u64,
        index: u64,
        sink: &mut dyn PacketSink,
    ) -> Result<(), MediaError> {
        // Vorbis decoders accept new headers at any time.
        if kind == Kind::Vorbis && self.head.is_none() && packet.starts_with(b"\x01vorbis") {
            self.head = Some(Head::new(kind));
        }
        let own = id(index, false);
        let mut is_sound = true;
        if let Some(head) = &mut self.head {
            match head.push(packet) {
                Packet::Header => is_sound = false,
                Packet::Described(params) => {
                    is_sound = false;
                    self.describe(kind, *params, own, sink)?;
                }
                Packet::Sound => self.head = None,
            }
        }
        for receiver in &mut self.receivers {
            // A player that does not notice the new stream decodes its headers too.
            if is_sound || receiver.id != own {
                receiver.take(packet, unkept, sink)?;
            }
        }
        Ok(())
    }

    /// Declares the track that the stream's headers describe.
    fn describe(
        &mut self,
        kind: Kind,
        params: TrackParams,
        own: TrackId,
        sink: &mut dyn PacketSink,
    ) -> Result<(), MediaError> {
        sink.track(own, &params)?;
        self.receivers.retain(|receiver| receiver.id != own);
        self.receivers.push(Receiver { id: own, kind, params, is_declared: true });
        Ok(())
    }
}

impl Receiver {
    fn take(&mut self, packet: &[u8], unkept: u64, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        if !std::mem::replace(&mut self.is_declared, true) {
            sink.track(self.id, &self.params)?;
        }
        let body = packet.get(self.kind.prefix(packet)..).unwrap_or_default();
        let size = to_u64(body.len()).saturating_add(unkept);
        if size == 0 {
            return Ok(());
        }
        let wanted = match sink.begin(self.id, size, None) {
            Wants::Nothing => 0,
            Wants::First(count) => count,
            Wants::Everything => usize::MAX,
        };
        let (seen, unseen) = body.split_at_checked(wanted).unwrap_or((body, &[]));
        sink.bytes(self.id, seen);
        let unseen = to_u64(unseen.len()).saturating_add(unkept);
        if unseen > 0 {
            sink.unseen(self.id, unseen);
        }
        sink.end(self.id);
        Ok(())
    }
}

/// Returns the size of the first packet, or of the part of it that is here, and the segments after it.
fn first_packet(segments: &[u8]) -> (usize, &[u8]) {
    let count = segments.iter().position(|segment| *segment < 255).map_or(segments.len(), |at| at + 1);
    let (first, rest) = segments.split_at_checked(count).unwrap_or((segments, &[]));
    (first.iter().map(|segment| usize::from(*segment)).sum(), rest)
}

/// Returns the sink's id for the stream of this index, or for the stream `before` it with the same serial number.
fn id(index: u64, before: bool) -> TrackId {
    TrackId(u32::try_from(index * 2 + u64::from(before)).unwrap_or(u32::MAX))
}

fn id_before(TrackId(own): TrackId) -> TrackId {
    TrackId(own | 1)
}

/// Widens a count of bytes or pages.
pub(super) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
