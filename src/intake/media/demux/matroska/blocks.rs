//! Block headers: the track of a block and the sizes of its packets (RFC 9559 §10).

use super::ebml::{self, Read};
use super::watch::to_u64;

/// The maximum size of a block header without lacing: a track number of up to eight bytes, a time of two bytes, and flags.
const MAX_FIXED: usize = 11;

/// The content of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) track: u64,
    /// The time relative to the cluster's time.
    pub(super) time: i16,
    /// The sizes of all packets but the last, in order; `last` is the size of the last. The packets fill the block after its
    /// header.
    pub(super) packets: Vec<u64>,
    pub(super) last: u64,
}

/// The reason that a block cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadBlock {
    /// A missing or invalid track number.
    NoTrack,
    /// Wrong packet sizes.
    Lacing,
}

/// Reads the header of a block of `size` bytes that begins with `bytes`. Returns `Short` if it needs more bytes; otherwise the
/// content and the size of the header, or the reason that the block cannot be read.
pub(super) fn parse(bytes: &[u8], size: u64) -> Read<Result<Block, BadBlock>> {
    let bytes = usize::try_from(size).ok().and_then(|size| bytes.get(..size)).unwrap_or(bytes);
    let whole = to_u64(bytes.len()) >= size;
    let bad = |bad| Read::Whole(Err(bad), 0);
    let (track, at) = match ebml::number(bytes, 8) {
        Read::Whole(track, at) => (track, at),
        Read::Short if !whole => return Read::Short,
        Read::Short | Read::Bad => return bad(BadBlock::NoTrack),
    };
    let Some((&[high, low, flags], rest)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk) else {
        return if whole { bad(BadBlock::NoTrack) } else { Read::Short };
    };
    let time = i16::from_be_bytes([high, low]);
    let left = size.saturating_sub(to_u64(at + 3));
    let mut laces = Laces { rest, left };
    let lacing = flags >> 1 & 3;
    let sizes = match lacing {
        // An empty vector allocates nothing; most blocks hold one packet.
        0 => Some((Vec::new(), left)),
        _ => laces.count().and_then(|more| laces.sizes(lacing, more)),
    };
    let (packets, last) = match sizes {
        Some(sizes) => sizes,
        None if whole || bytes.len() > MAX_HEAD => return bad(BadBlock::Lacing),
        None => return Read::Short,
    };
    let head = size.saturating_sub(packets.iter().sum()).saturating_sub(last);
    Read::Whole(Ok(Block { track, time, packets, last }), usize::try_from(head).unwrap_or(usize::MAX))
}

/// The largest block header that is read: the header of 255 packets of 64 KiB each.
pub(super) const MAX_HEAD: usize = MAX_FIXED + 64 * 1024;

/// A reader of the packet sizes. The last size is not written: the last packet takes the rest of the block.
struct Laces<'a> {
    rest: &'a [u8],
    /// The number of bytes left in the block, seen or not.
    left: u64,
}

impl Laces<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.left = self.left.checked_sub(1)?;
        Some(*first)
    }

    /// Reads the number of packets without the last.
    fn count(&mut self) -> Option<usize> {
        self.byte().map(usize::from)
    }

    fn sizes(&mut self, lacing: u8, more: usize) -> Option<(Vec<u64>, u64)> {
        match lacing {
            1 => self.xiph(more),
            2 => self.fixed(more),
            _ => self.ebml(more),
        }
    }

    fn xiph(&mut self, more: usize) -> Option<(Vec<u64>, u64)> {
        let mut sizes = Vec::with_capacity(more);
        for _ in 0..more {
            let mut size = 0;
            loop {
                let byte = self.byte()?;
                size += u64::from(byte);
                if byte < 255 {
                    break;
                }
            }
            sizes.push(size);
        }
        self.with_last(sizes)
    }

    fn fixed(&mut self, more: usize) -> Option<(Vec<u64>, u64)> {
        let count = to_u64(more + 1);
        self.left.is_multiple_of(count).then(|| (vec![self.left / count; more], self.left / count))
    }

    fn ebml(&mut self, more: usize) -> Option<(Vec<u64>, u64)> {
        let mut sizes: Vec<u64> = Vec::with_capacity(more);
        for _ in 0..more {
            let Read::Whole(value, length) = ebml::number(self.rest, 8) else { return None };
            self.rest = self.rest.get(length..)?;
            self.left = self.left.checked_sub(to_u64(length))?;
            let size = match sizes.last() {
                // The value is a difference, biased by half the range of its length.
                Some(&before) => {
                    let middle = (1_i64 << (7 * length - 1)) - 1;
                    before.checked_add_signed(i64::try_from(value).ok()?.checked_sub(middle)?)?
                }
                None => value,
            };
            sizes.push(Some(size).filter(|size| *size <= self.left)?);
        }
        self.with_last(sizes)
    }

    fn with_last(&self, sizes: Vec<u64>) -> Option<(Vec<u64>, u64)> {
        let last = self.left.checked_sub(sizes.iter().sum())?;
        Some((sizes, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(bytes: &[u8]) -> Result<(Vec<u64>, usize), BadBlock> {
        match parse(bytes, to_u64(bytes.len())) {
            Read::Whole(block, head) => block.map(|block| ([block.packets, vec![block.last]].concat(), head)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_lacing_is_taken_apart() {
        assert_eq!(packets(&[0x81, 0, 0, 0x80, 1, 2, 3]), Ok((vec![3], 4)));
        assert_eq!(packets(&[&[0x81, 0, 0, 0x02, 2, 1, 2][..], &[0; 6]].concat()), Ok((vec![1, 2, 3], 7)));
        assert_eq!(packets(&[&[0x81, 0, 0, 0x02, 1, 255, 1][..], &[0; 300]].concat()), Ok((vec![256, 44], 7)));
        assert_eq!(packets(&[&[0x81, 0, 0, 0x04, 2][..], &[0; 6]].concat()), Ok((vec![2, 2, 2], 5)));
        // Sizes: 2, then 2 + 1 as a difference, then the rest.
        assert_eq!(packets(&[&[0x81, 0, 0, 0x06, 2, 0x82, 0xc0][..], &[0; 9]].concat()), Ok((vec![2, 3, 4], 7)));
        // The second size is 300 - 100.
        let difference = 0x4000_u16 + (8191 - 100);
        let head = [&[0x81, 0, 0, 0x06, 2, 0x41, 0x2c][..], &difference.to_be_bytes()].concat();
        assert_eq!(packets(&[&head[..], &[0; 501]].concat()), Ok((vec![300, 200, 1], 9)));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert_eq!(packets(&[0x81, 0, 0, 0x02, 1, 9, 1]), Err(BadBlock::Lacing));
        assert_eq!(packets(&[0x81, 0, 0, 0x04, 1, 1, 1, 1]), Err(BadBlock::Lacing));
        assert_eq!(packets(&[0x81, 0, 0, 0x06, 1, 0x89, 1, 1]), Err(BadBlock::Lacing));
        assert_eq!(packets(&[0x81, 0, 0, 0x06, 2, 0x81, 0x81, 1]), Err(BadBlock::Lacing));
        assert_eq!(packets(&[0x81, 0, 0, 0x02]), Err(BadBlock::Lacing));
        assert_eq!(packets(&[0x81, 0]), Err(BadBlock::NoTrack));
        assert_eq!(packets(&[0]), Err(BadBlock::NoTrack));
    }

    #[test]
    fn a_head_that_is_not_seen_whole_is_waited_for() {
        for seen in 0..7 {
            let bytes = [0x81, 0, 0, 0x02, 1, 255, 1];
            assert_eq!(parse(&bytes[..seen], 400), Read::Short, "{seen}");
        }
        // No packet size takes this many bytes.
        assert_eq!(
            parse(&[&[0x81, 0, 0, 2, 255][..], &vec![255; 70_000]].concat(), 1 << 30),
            Read::Whole(Err(BadBlock::Lacing), 0)
        );
    }
}
