//! Clusters where none belong: inside packets and inside skipped elements.
//!
//! After invalid bytes, a demuxer searches for the next id of a segment's child, byte by byte, from the last valid element
//! on, so inside that element too. (ffmpeg does so, even at the end of a truncated file.) So audio can hide in bytes that a
//! careful demuxer takes for a packet, an index or padding. The same bytes can even play several times, with one cluster in
//! the packet of another.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::ebml::{self, Read, id};

/// The search for all ids of a segment's children at once. No id begins within another.
static IDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let ids = ebml::TOP_LEVEL.map(u32::to_be_bytes);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(ids).ok()
});

/// A search for ids in a stream of bytes, by the last four bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    last: u32,
}

impl Watch {
    /// Returns the first id that ends in `bytes`, and its end. The id may begin in earlier bytes.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
        let Some(ids) = &*IDS else { return self.find_bytewise(bytes) };
        // Only an id that begins in earlier bytes ends in the first three.
        let (first, rest) = bytes.split_at_checked(ID - 1).unwrap_or((bytes, &[]));
        if let Some(found) = self.find_bytewise(first) {
            return Some(found);
        }
        if rest.is_empty() {
            return None;
        }
        let found = ids.find(Input::new(bytes));
        let end = found.map_or(bytes.len(), |found| found.end());
        let last = bytes.get(..end).and_then(<[u8]>::last_chunk).copied().unwrap_or_default();
        self.last = u32::from_be_bytes(last);
        found.map(|_| (self.last, end))
    }

    fn find_bytewise(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
        let mut last = self.last;
        for (at, byte) in bytes.iter().enumerate() {
            last = last << 8 | u32::from(*byte);
            if last >> 28 == 1 && ebml::is_top_level(last) {
                self.last = last;
                return Some((last, at + 1));
            }
        }
        self.last = last;
        None
    }
}

/// The size of an id of a segment's child.
const ID: usize = 4;

/// The number of bytes examined after an id for a plausible cluster.
pub(super) const LOOKAHEAD: usize = 1024;

/// Returns true if a demuxer could find a packet in `bytes`, taken as the size and the children of a cluster. The result is
/// false only if a demuxer certainly gives up before it reaches a block of a track for which `has_track` holds.
pub(super) fn is_plausible(bytes: &[u8], has_track: impl Fn(u64) -> bool) -> bool {
    let Read::Whole(size, mut at) = ebml::size(bytes) else { return bytes.len() < 8 };
    let end = size.map(|size| to_u64(at).saturating_add(size));
    loop {
        if end.is_some_and(|end| to_u64(at) >= end) {
            return false;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let (head, length) = match ebml::head(rest, None) {
            Read::Whole(head, length) => (head, length),
            // The rest is beyond the visible bytes.
            Read::Short => return true,
            Read::Bad => return false,
        };
        let content = at + length;
        let Some(child) = head.size else {
            return head.id == id::BLOCK_GROUP && end.is_none();
        };
        let child_end = to_u64(content).saturating_add(child);
        if end.is_some_and(|end| child_end > end) || ebml::is_top_level(head.id) {
            return false;
        }
        match head.id {
            id::BLOCK_GROUP => return true,
            id::SIMPLE_BLOCK => {
                return match ebml::number(bytes.get(content..).unwrap_or_default(), 8) {
                    Read::Whole(number, _) => has_track(number),
                    Read::Short => true,
                    Read::Bad => false,
                };
            }
            _ => {}
        }
        match usize::try_from(child_end) {
            Ok(next) if next < bytes.len() => at = next,
            _ => return true,
        }
    }
}

/// Returns the number of bytes that could be sound: all but 0 and 0xff, which padding consists of.
pub(super) fn unpadded(bytes: &[u8]) -> u64 {
    to_u64(bytes.iter().filter(|byte| !matches!(byte, 0 | 0xff)).count())
}

pub(super) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_across_pieces() {
        let mut watch = Watch::default();
        assert_eq!(watch.find(&[1, 2, 0x1f, 0x43]), None);
        assert_eq!(watch.find(&[0xb6, 0x75, 0x80]), Some((id::CLUSTER, 2)));
        assert_eq!(watch.find(&[0x80, 0x16, 0x54, 0xae, 0x6b]), Some((id::TRACKS, 5)));
        assert_eq!(watch.find(&[0x18, 0x53, 0x80, 0x67]), None);
    }

    type Find = fn(&mut Watch, &[u8]) -> Option<(u32, usize)>;

    #[test]
    fn every_id_is_found_wherever_the_pieces_are_cut() {
        let gaps = [0, 1, 3, 5, 40].map(|size| vec![0x1f; size]);
        let stream: Vec<u8> = (0..ebml::TOP_LEVEL.len() * gaps.len())
            .flat_map(|n| {
                let id = ebml::TOP_LEVEL[n % ebml::TOP_LEVEL.len()].to_be_bytes();
                [&gaps[n / ebml::TOP_LEVEL.len()][..], &id].concat()
            })
            .collect();
        let all = |size: usize, find: Find| {
            let (mut watch, mut found) = (Watch::default(), Vec::new());
            for (n, piece) in stream.chunks(size).enumerate() {
                let mut from = 0;
                while let Some((id, end)) = find(&mut watch, &piece[from..]) {
                    from += end;
                    found.push((id, n * size + from));
                }
            }
            found
        };
        let expected = all(stream.len(), Watch::find_bytewise);
        assert_eq!(expected.len(), ebml::TOP_LEVEL.len() * gaps.len());
        for size in [1, 2, 3, 4, 5, 7, 64, stream.len()] {
            assert_eq!(all(size, Watch::find), expected, "{size}");
        }
    }

    #[test]
    fn a_cluster_is_plausible_if_a_block_could_follow() {
        let is_one = |number| number == 1;
        assert!(is_plausible(&[0xff, 0xe7, 0x81, 0, 0xa3, 0x84, 0x81, 0, 0, 0], is_one));
        assert!(is_plausible(&[0xff, 0xec, 0x81, 0, 0xa0, 0x84, 0x81, 0, 0, 0], is_one));
        // The rest is beyond the visible bytes.
        assert!(is_plausible(&[0xff, 0xec, 0x41, 0], is_one));
        // Another track, an empty cluster, a child that does not fit, an invalid id, the next cluster.
        assert!(!is_plausible(&[0xff, 0xe7, 0x81, 0, 0xa3, 0x84, 0x82, 0, 0, 0], is_one));
        assert!(!is_plausible(&[0x80, 0xa3, 0x84, 0x81, 0, 0, 0], is_one));
        assert!(!is_plausible(&[0x84, 0xa3, 0x84, 0x81, 0, 0, 0], is_one));
        assert!(!is_plausible(&[0xff, 0x00, 0x84, 0x81, 0, 0, 0], is_one));
        assert!(!is_plausible(&[0xff, 0x1f, 0x43, 0xb6, 0x75, 0x81, 0, 0, 0], is_one));
    }

    #[test]
    fn padding_is_no_sound() {
        assert_eq!(unpadded(&[0; 100]), 0);
        assert_eq!(unpadded(&[&[0xff; 100][..], b"ab", &[0; 3]].concat()), 2);
    }
}
