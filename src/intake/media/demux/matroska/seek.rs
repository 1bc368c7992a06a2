//! Seek heads, and the check that the elements are where they point (RFC 9559 §5.1.1).
//!
//! ffmpeg follows them once it reaches the first cluster, and reads any element there, such as tracks, even inside a packet.

use super::ebml::id;

/// The maximum number of pointers and of elements remembered. ffmpeg keeps 64 elements.
const MAX: usize = 256;

/// The targets of seek heads and the elements found.
#[derive(Debug, Clone, Default)]
pub(super) struct SeekHeads {
    /// The offset that positions are relative to; `None` once another file has begun.
    segment: Option<u64>,
    entry: Entry,
    /// The offset and the id of each target not found yet.
    promised: Vec<(u64, u64)>,
    /// The offset and the id of each element found.
    known: Vec<(u64, u64)>,
    /// The offsets of tracks and seek heads that this demuxer does not read.
    traps: Vec<u64>,
    /// True if there were more than [`MAX`] of them.
    too_many: bool,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    id: u64,
    position: Option<u64>,
}

impl SeekHeads {
    /// Begins a segment whose content is at `at`.
    pub(super) fn segment(&mut self, at: u64, first: bool) {
        self.segment = first.then_some(at);
    }

    pub(super) fn begin(&mut self) {
        self.entry = Entry::default();
    }

    pub(super) fn set_id(&mut self, id: u64) {
        self.entry.id = id;
    }

    pub(super) fn set_position(&mut self, position: u64) {
        self.entry.position = Some(position);
    }

    /// Ends a pointer.
    pub(super) fn end(&mut self) {
        let Some(position) = self.segment.zip(self.entry.position).and_then(|(start, at)| start.checked_add(at)) else {
            return;
        };
        // Pointers to clusters are not checked.
        if self.entry.id != u64::from(id::CLUSTER) && !self.known.contains(&(position, self.entry.id)) {
            self.too_many |= !remember(&mut self.promised, (position, self.entry.id));
        }
    }

    /// Records an element of a segment at `at`; `late`: after a cluster.
    pub(super) fn found(&mut self, id: u32, at: u64, late: bool) {
        if self.segment.is_none() || id == id::CLUSTER {
            return;
        }
        let element = (at, u64::from(id));
        self.promised.retain(|promised| *promised != element);
        remember(&mut self.known, element);
        if late && id == id::TRACKS {
            self.trap(at);
        }
    }

    /// Records tracks or a seek head at `at` that a demuxer reads only if a pointer leads there.
    pub(super) fn trap(&mut self, at: u64) {
        self.too_many |= !remember(&mut self.traps, at);
    }

    /// Returns true if pointers may lead to tracks that this demuxer does not know.
    pub(super) fn misleads(&self) -> bool {
        !self.promised.is_empty() && (self.too_many || self.promised.iter().any(|(at, _)| self.traps.contains(at)))
    }
}

/// Adds `item` to `list`. Returns `false` if the list is full.
fn remember<T>(list: &mut Vec<T>, item: T) -> bool {
    let free = list.len() < MAX;
    if free {
        list.push(item);
    }
    free
}
