//! Resynchronisation: the search for the next element after invalid bytes.

use super::blocks;
use super::context::Context;
use super::demuxer::Matroska;
use super::ebml::{self, Read, id};
use super::state::{Level, Moved, State, part};
use super::watch::unpadded;
use crate::intake::media::demux::PacketSink;

/// The largest block that the search accepts.
const MAX_BLOCK: u64 = 64 * 1024;
/// The same in a recording that is live, where the search cannot wait for more.
const MAX_LIVE_BLOCK: u64 = 8 * 1024;

impl Matroska {
    /// Searches for the next element of a segment, as ffmpeg does, and for blocks before it while `cluster` may continue.
    pub(super) fn lost(
        &mut self,
        cluster: Option<Level>,
        window: &[u8],
        at_end: bool,
        sink: &mut dyn PacketSink,
    ) -> Moved {
        let Some(level) = cluster.filter(|level| level.end.is_none_or(|end| end > self.at)) else {
            let next = self.next_id(window);
            self.state = State::Lost { cluster: None };
            return Moved::By(next.map_or(window.len(), |(id, end)| {
                self.found(id);
                end
            }));
        };
        let inside = level.end.map_or(window, |end| part(window, end - self.at));
        let next = self.next_id(inside);
        // The offset of the id, if it is inside the cluster.
        let limit = next.map_or(inside.len(), |(_, end)| end.saturating_sub(4));
        let before = inside.get(..limit).unwrap_or(inside);
        let closed = next.is_some() || inside.len() < window.len() || at_end;
        for at in memchr::memchr_iter(0xa3, before) {
            let rest = before.get(at..).unwrap_or_default();
            match self.could_be_block(rest, window.get(at..).unwrap_or_default(), closed) {
                Read::Bad => {}
                Read::Whole((), _) => {
                    sink.stray(unpadded(before.get(..at).unwrap_or_default()));
                    self.seen_only(before.get(..at).unwrap_or_default());
                    self.levels.push(level);
                    self.doubts.is_ahead = true;
                    self.state = State::Element;
                    return Moved::By(at);
                }
                Read::Short if at > 0 => {
                    sink.stray(unpadded(before.get(..at).unwrap_or_default()));
                    self.seen_only(before.get(..at).unwrap_or_default());
                    return Moved::By(at);
                }
                Read::Short => {
                    self.seen_only(&[]);
                    if self.is_live {
                        return Moved::Needs(window.len() + 1);
                    }
                    let needed = usize::try_from(MAX_BLOCK).unwrap_or_default() + 2 * ebml::MAX_HEAD;
                    return Moved::Needs(needed.max(window.len() + 1));
                }
            }
        }
        sink.stray(unpadded(before));
        Moved::By(next.map_or(inside.len(), |(id, end)| {
            self.found(id);
            end
        }))
    }

    /// Returns `Whole` if `bytes` begin with a block of a known track and a valid element follows it in `window`.
    fn could_be_block(&self, bytes: &[u8], window: &[u8], closed: bool) -> Read<()> {
        let more = if closed { Read::Bad } else { Read::Short };
        let (head, length) = match ebml::head(window, None) {
            Read::Whole(head, length) => (head, length),
            Read::Short => return more,
            Read::Bad => return Read::Bad,
        };
        let max = if self.is_live { MAX_LIVE_BLOCK } else { MAX_BLOCK };
        let Some(size) = head.size.filter(|size| (4..=max).contains(size)) else { return Read::Bad };
        let content = window.get(length..).unwrap_or_default();
        // Valid blocks leave reserved bits of the flags at 0 (RFC 9559 §10.2).
        let number = match ebml::number(content, 8) {
            Read::Whole(number, at) if content.get(at + 2).is_none_or(|flags| flags & 0x70 == 0) => number,
            Read::Short => return more,
            _ => return Read::Bad,
        };
        if !self.has_track(number) {
            return Read::Bad;
        }
        let Some(end) = usize::try_from(size).ok().and_then(|size| length.checked_add(size)) else { return Read::Bad };
        if end > bytes.len() {
            return more;
        }
        if matches!(blocks::parse(content, size), Read::Whole(Err(_), _) | Read::Bad) {
            return Read::Bad;
        }
        let behind = window.get(end..).unwrap_or_default();
        match ebml::head(behind, None) {
            Read::Whole(next, _) => {
                let may = Context::Cluster.holds(next.id) || ebml::is_top_level(next.id) || next.id == id::VOID;
                if may { Read::Whole((), 0) } else { Read::Bad }
            }
            Read::Short if behind.is_empty() && (closed || self.is_live) => Read::Whole((), 0),
            Read::Short => more,
            Read::Bad => Read::Bad,
        }
    }
}
