//! Seek heads: what they point to is where they say (RFC 9559 §5.1.1).
//!
//! ffmpeg follows them once it has come to the first cluster, and takes whatever is there: tracks, too, even inside a packet.

use super::ebml::id;

/// How many pointers and elements are remembered. ffmpeg has room for 64 elements.
const MAX: usize = 256;

/// What seek heads point to, and what was found.
#[derive(Debug, Default)]
pub(super) struct SeekHeads {
    /// Where the positions count from. `None` once another file has begun.
    segment: Option<u64>,
    entry: Entry,
    /// Where an element of such an id should be that was not found there.
    promised: Vec<(u64, u64)>,
    /// Where elements were found.
    known: Vec<(u64, u64)>,
    /// Where tracks or seek heads are that are not read here.
    traps: Vec<u64>,
    /// Whether there were more than are remembered.
    too_many: bool,
}

#[derive(Debug, Default)]
struct Entry {
    id: u64,
    position: Option<u64>,
}

impl SeekHeads {
    /// A segment's content begins.
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

    /// A pointer was read.
    pub(super) fn end(&mut self) {
        let Some(position) = self.segment.zip(self.entry.position).and_then(|(start, at)| start.checked_add(at)) else {
            return;
        };
        // Clusters are not looked for.
        if self.entry.id != u64::from(id::CLUSTER) && !self.known.contains(&(position, self.entry.id)) {
            self.too_many |= !remember(&mut self.promised, (position, self.entry.id));
        }
    }

    /// An element of a segment is at `at`; `late`: behind a cluster.
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

    /// Tracks or a seek head are at `at` that a demuxer reads only if it is led there.
    pub(super) fn trap(&mut self, at: u64) {
        self.too_many |= !remember(&mut self.traps, at);
    }

    /// Whether they lead to tracks that are not known here.
    pub(super) fn misleads(&self) -> bool {
        !self.promised.is_empty() && (self.too_many || self.promised.iter().any(|(at, _)| self.traps.contains(at)))
    }
}

/// Whether there is room for another.
fn remember<T>(list: &mut Vec<T>, item: T) -> bool {
    let free = list.len() < MAX;
    if free {
        list.push(item);
    }
    free
}
