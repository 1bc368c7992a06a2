//! The sink that keeps what one step of a demuxer finds.

use std::ops::Range;

use super::event::{EditPart, PacketEvent};
use crate::intake::media::codec::{Codec, TrackParams, Wants, table};
use crate::intake::media::demux::{MAX_TRACKS, PacketSink, PageEnd, Timestamp, TrackId};
use crate::intake::media::{Container, MediaError};

/// The largest packet: more than a FLAC frame of 65535 samples, 24 bits and eight channels.
const MAX_PACKET: usize = 2 * 1024 * 1024;
/// The largest packet of a live recording, which one session may hold: more than any that recorders write.
const MAX_LIVE_PACKET: usize = 64 * 1024;

/// The events that were found and not yet taken.
#[derive(Clone)]
pub(in crate::intake::media) struct Collector {
    container: Container,
    max_packet: usize,
    /// The track that is played; `None` before the first of a part.
    selected: Option<TrackId>,
    is_stream: bool,
    /// The bytes of the packets in `items`, and of the packet that has begun.
    bytes: Vec<u8>,
    items: Vec<Item>,
    /// The number of items taken.
    taken: usize,
    open: Option<Open>,
    /// The codec that declared PCM looks like.
    disguise: Option<Codec>,
    /// True if a demuxer has passed over sound of the track.
    has_unseen: bool,
}

/// A packet that has begun.
#[derive(Clone)]
struct Open {
    from: usize,
    size: u64,
    is_cut: bool,
}

#[derive(Clone)]
enum Item {
    Track(Box<TrackParams>),
    Packet(Range<usize>),
    Bytes(Range<usize>),
    Cut,
    EndsAt(PageEnd),
    Padding(u64),
    Delay(u64),
    Edits(Vec<EditPart>),
}

impl Collector {
    pub(in crate::intake::media) fn new(container: Container) -> Self {
        Self {
            container,
            max_packet: MAX_PACKET,
            selected: None,
            is_stream: false,
            bytes: Vec::new(),
            items: Vec::new(),
            taken: 0,
            open: None,
            disguise: None,
            has_unseen: false,
        }
    }

    /// Creates a sink for a recording that is live.
    pub(in crate::intake::media) fn live(container: Container) -> Self {
        Self { max_packet: MAX_LIVE_PACKET, ..Self::new(container) }
    }

    /// Gives back the memory that nothing needs.
    pub(in crate::intake::media) fn trim(&mut self) {
        self.bytes.shrink_to_fit();
        self.items.shrink_to_fit();
    }

    /// Returns the number of bytes held.
    #[cfg(test)]
    pub(in crate::intake::media) fn held(&self) -> usize {
        self.bytes.capacity() + self.items.capacity() * size_of::<Item>()
    }

    /// Returns the track that is played, if one was found.
    pub(in crate::intake::media) fn selected(&self) -> Option<TrackId> {
        self.selected
    }

    /// Adds the parts of the track to play, before the packets found so far.
    pub(in crate::intake::media) fn edits_first(&mut self, parts: Vec<EditPart>) {
        let after_track = self.items.iter().rposition(|item| matches!(item, Item::Track(_))).map_or(0, |at| at + 1);
        self.items.insert(after_track.max(self.taken), Item::Edits(parts));
    }

    /// Returns true if events wait to be taken.
    pub(in crate::intake::media) fn has_events(&self) -> bool {
        self.taken < self.items.len()
    }

    /// Takes the next event.
    pub(in crate::intake::media) fn next(&mut self) -> Option<PacketEvent<'_>> {
        if self.taken >= self.items.len() {
            self.clear();
            return None;
        }
        let item = self.items.get(self.taken)?;
        self.taken += 1;
        let within = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        Some(match item {
            Item::Track(params) => PacketEvent::Track(params),
            Item::Packet(range) => PacketEvent::Packet(within(range)),
            Item::Bytes(range) => PacketEvent::Bytes(within(range)),
            Item::Cut => PacketEvent::Cut,
            Item::EndsAt(end) => {
                PacketEvent::EndsAt { granule: end.granule, is_last: end.is_last, is_after_gap: end.is_after_gap }
            }
            Item::Padding(nanos) => PacketEvent::Padding { nanos: *nanos },
            Item::Delay(nanos) => PacketEvent::Delay { nanos: *nanos },
            Item::Edits(parts) => PacketEvent::Edits(parts),
        })
    }

    /// Drops what was taken, except for the packet that has begun.
    fn clear(&mut self) {
        self.items.clear();
        self.taken = 0;
        let from = self.open.as_mut().map_or(self.bytes.len(), |open| std::mem::take(&mut open.from));
        self.bytes.drain(..from);
    }

    /// Returns an error if the recording is not what it looks like.
    pub(super) fn check(&self) -> Result<(), MediaError> {
        let container = self.container;
        match self.disguise {
            Some(codec) => Err(MediaError::Codec { container, codec: codec.name().to_owned() }),
            None if self.has_unseen => {
                Err(MediaError::Feature { container, what: "has packets that only a measurement can pass over" })
            }
            None => Ok(()),
        }
    }

    fn is_selected(&self, id: TrackId) -> bool {
        self.selected == Some(id)
    }

    /// Returns true if players may play this track; the other ids are second readings of the same bytes.
    fn is_own(&self, TrackId(id): TrackId) -> bool {
        match self.container {
            Container::Ogg => id.is_multiple_of(2),
            Container::Webm => usize::try_from(id).is_ok_and(|id| id < 4 * MAX_TRACKS),
            Container::Mp4 => usize::try_from(id).is_ok_and(|id| id < MAX_TRACKS),
            _ => id == 0,
        }
    }
}

impl PacketSink for Collector {
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError> {
        if self.container == Container::Wav && id == TrackId(1) {
            self.disguise = params.codec.as_ref().ok().copied().filter(|codec| *codec != table::DISGUISED);
        }
        if !self.is_own(id) || self.selected.is_some_and(|selected| selected != id) {
            return Ok(());
        }
        self.selected = Some(id);
        let name = params.codec.as_ref().map(|codec| codec.name()).unwrap_or_default();
        let is_bare = matches!(self.container, Container::Wav | Container::Mp3 | Container::Flac | Container::Aiff);
        self.is_stream = is_bare || name.starts_with("pcm_") || name.starts_with("mp") || name == "adpcm_ima_qt";
        self.items.push(Item::Track(Box::new(params.clone())));
        Ok(())
    }

    fn begin(&mut self, id: TrackId, size: u64, _at: Option<Timestamp>) -> Wants {
        if !self.is_selected(id) {
            return Wants::Nothing;
        }
        self.open = Some(Open { from: self.bytes.len(), size, is_cut: false });
        Wants::Everything
    }

    fn bytes(&mut self, id: TrackId, bytes: &[u8]) {
        if !self.is_selected(id) {
            return;
        }
        let from = self.bytes.len();
        if self.is_stream {
            self.bytes.extend_from_slice(bytes);
            self.items.push(Item::Bytes(from..self.bytes.len()));
            if let Some(open) = &mut self.open {
                open.from = self.bytes.len();
            }
            return;
        }
        let Some(open) = &mut self.open else { return };
        if from.saturating_sub(open.from).saturating_add(bytes.len()) > self.max_packet {
            open.is_cut = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn unseen(&mut self, id: TrackId, count: u64) {
        if self.is_selected(id) && count > 0 {
            match &mut self.open {
                Some(open) if !self.is_stream => open.is_cut = true,
                _ => self.has_unseen = true,
            }
        }
    }

    fn end(&mut self, id: TrackId) {
        if !self.is_selected(id) {
            return;
        }
        let Some(open) = self.open.take() else { return };
        if self.is_stream {
            return;
        }
        let range = open.from..self.bytes.len();
        let is_whole = u64::try_from(range.len()).is_ok_and(|length| length >= open.size);
        if open.is_cut || !is_whole {
            self.bytes.truncate(open.from);
            self.items.push(Item::Cut);
        } else {
            self.items.push(Item::Packet(range));
        }
    }

    fn stray(&mut self, _count: u64) {}

    fn link(&mut self) {
        self.selected = None;
        self.open = None;
    }

    fn ends_at(&mut self, id: TrackId, end: PageEnd) {
        if self.is_selected(id) {
            self.items.push(Item::EndsAt(end));
        }
    }

    fn delay(&mut self, id: TrackId, nanos: u64) {
        if self.is_selected(id) {
            self.items.push(Item::Delay(nanos));
        }
    }

    fn padding(&mut self, id: TrackId, nanos: u64) {
        if self.is_selected(id) {
            self.items.push(Item::Padding(nanos));
        }
    }
}
