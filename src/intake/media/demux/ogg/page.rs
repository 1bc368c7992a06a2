//! Pages: the pieces of an Ogg file, each with a checksum (RFC 3533 §6).

/// The capture pattern at the start of a page.
pub(super) const CAPTURE: &[u8] = b"OggS";

/// The size of a page header without its segment table.
pub(super) const HEAD: usize = 27;

/// The maximum size of a page.
pub(super) const MAX_PAGE: usize = HEAD + 255 + 255 * 255;

/// The result of reading a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Page(Page<'a>),
    /// The number of bytes that the window must hold.
    Short(usize),
    /// No page, with the number of bytes read to find out.
    Nothing(usize),
}

/// A page with a correct checksum.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    /// True if the page begins with the rest of a packet.
    pub(super) continues: bool,
    /// True if the page is the first of its stream.
    pub(super) begins: bool,
    /// True if the page is the last of its stream.
    pub(super) ends: bool,
    /// The position at which the packets that end in the page end; `None` if no packet does.
    pub(super) granule: Option<u64>,
    /// The number of the page in its stream.
    pub(super) number: u32,
    pub(super) serial: u32,
    pub(super) segments: &'a [u8],
    pub(super) content: &'a [u8],
    /// The size of the whole page.
    pub(super) size: usize,
}

/// Reads the page at the start of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Found<'_> {
    if !CAPTURE.starts_with(bytes.get(..CAPTURE.len()).unwrap_or(bytes)) {
        return Found::Nothing(0);
    }
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Found::Short(HEAD) };
    let [.., count] = *head;
    let count = usize::from(count);
    let Some(segments) = rest.get(..count) else { return Found::Short(HEAD + count) };
    let length = segments.iter().map(|segment| usize::from(*segment)).sum::<usize>();
    let size = HEAD + count + length;
    let Some(content) = rest.get(count..count + length) else { return Found::Short(size) };
    let [_, _, _, _, version, flags, g0, g1, g2, g3, g4, g5, g6, g7, s0, s1, s2, s3, n0, n1, n2, n3, c0, c1, c2, c3, _] =
        *head;
    let sum = checksum(checksum(checksum(0, head.get(..22).unwrap_or_default()), &[0; 4]), &[head[HEAD - 1]]);
    let sum = checksum(sum, rest.get(..count + length).unwrap_or_default());
    if sum != u32::from_le_bytes([c0, c1, c2, c3]) || version != 0 {
        return Found::Nothing(size);
    }
    let serial = u32::from_le_bytes([s0, s1, s2, s3]);
    let number = u32::from_le_bytes([n0, n1, n2, n3]);
    let granule = Some(u64::from_le_bytes([g0, g1, g2, g3, g4, g5, g6, g7])).filter(|granule| *granule != u64::MAX);
    let [continues, begins, ends] = [1, 2, 4].map(|flag| flags & flag != 0);
    Found::Page(Page { continues, begins, ends, granule, number, serial, segments, content, size })
}

/// Returns the CRC of `bytes` after bytes with the CRC `sum`: polynomial 0x04c11db7, highest bit first.
pub(super) fn checksum(mut sum: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in eights {
        let [x, y, z, w] = (sum ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        let parts = [x, y, z, w, e, f, g, h];
        sum = TABLES.iter().zip(parts).fold(0, |sum, (table, part)| sum ^ entry(table, part));
    }
    for byte in rest {
        let [top, ..] = sum.to_be_bytes();
        sum = sum << 8 ^ TABLES.last().map_or(0, |table| entry(table, top ^ byte));
    }
    sum
}

fn entry(table: &[u32; 256], index: u8) -> u32 {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

/// The CRC of each byte followed by 7, 6 … 0 other bytes.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut index = 0;
    let mut byte = 0_u32;
    while index < 256 {
        let mut sum = byte << 24;
        let mut step = 0;
        // The eight bits of the byte, then those of each byte that follows.
        while step < 64 {
            sum = if sum >> 31 == 1 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 };
            step += 1;
            if step % 8 == 0 {
                tables[8 - step / 8][index] = sum;
            }
        }
        index += 1;
        byte += 1;
    }
    tables
}

#[cfg(test)]
pub(super) fn build(flags: u8, serial: u32, packets: &[&[u8]], open: bool) -> Vec<u8> {
    let mut segments = Vec::new();
    for (at, packet) in packets.iter().enumerate() {
        segments.extend(std::iter::repeat_n(255, packet.len() / 255));
        // The last packet may continue in the next page.
        if !open || at + 1 < packets.len() {
            segments.push(u8::try_from(packet.len() % 255).unwrap());
        }
    }
    let mut page = CAPTURE.to_vec();
    page.extend([0, flags]);
    page.extend([0; 8]);
    page.extend(serial.to_le_bytes());
    page.extend([0; 8]);
    page.push(u8::try_from(segments.len()).unwrap());
    page.extend(segments);
    page.extend(packets.concat());
    let sum = checksum(0, &page);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_polynomial() {
        fn slow(bytes: &[u8]) -> u32 {
            bytes.iter().fold(0, |sum, byte| {
                (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
                    sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
                })
            })
        }
        let bytes: Vec<u8> = (0..100_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for length in [0, 1, 7, 8, 9, 64, 100] {
            assert_eq!(checksum(0, &bytes[..length]), slow(&bytes[..length]), "{length}");
        }
    }

    #[test]
    fn a_page_is_read_if_its_checksum_is_right() {
        let page = build(2, 7, &[b"abc", &[9; 300]], false);
        let Found::Page(read) = super::read(&page) else { panic!() };
        assert_eq!((read.serial, read.begins, read.continues, read.size), (7, true, false, page.len()));
        assert_eq!(read.segments, [3, 255, 45]);
        for at in 4..page.len() {
            let mut bad = page.clone();
            bad[at] ^= 1;
            bad.resize(MAX_PAGE, 0);
            assert!(matches!(super::read(&bad), Found::Nothing(_)), "{at}");
        }
        for seen in 0..page.len() {
            let Found::Short(needed) = super::read(&page[..seen]) else { panic!("{seen}") };
            assert!(needed > seen && needed <= page.len());
        }
    }
}
