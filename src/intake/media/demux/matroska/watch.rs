//! Clusters where none belong: inside packets and inside skipped elements.
//!
//! After invalid bytes, a demuxer searches for the next id of a segment's child, byte by byte, from the last valid element
//! on, so inside that element too. (ffmpeg does so, even at the end of a truncated file.) So audio can hide in bytes that a
//! careful demuxer takes for a packet, an index or padding. The same bytes can even play several times, with one cluster in
//! the packet of another.

use super::ebml::{self, Read, id};

/// A search for ids in a stream of bytes, by the last four bytes.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: u32,
}

impl Watch {
    /// Returns the first id that ends in `bytes`, and its end. The id may begin in earlier bytes.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
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
