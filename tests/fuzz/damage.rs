//! How recordings are damaged.

/// Bytes that parsers stumble over: no, one, the most and almost the most of something.
const EDGES: [u64; 8] = [0, 1, u64::MAX, u64::MAX >> 1, 1 << 63, 0x7fff_ffff, 0xffff_fffe, 0x0100_0000];
/// What begins a box, a chunk, an element, a page or a frame.
const MARKS: &[&[u8]] = &[
    b"RIFF",
    b"RF64",
    b"WAVE",
    b"data",
    b"fmt ",
    b"ds64",
    b"LIST",
    b"OggS",
    b"fLaC",
    b"ID3\x04\0\0\0\0\x7f\x7f",
    b"APETAGEX",
    b"ftyp",
    b"moov",
    b"moof",
    b"mdat",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"stsd",
    b"stsz",
    b"stsc",
    b"stts",
    b"stco",
    b"co64",
    b"stz2",
    b"elst",
    b"edts",
    b"traf",
    b"tfhd",
    b"trun",
    b"mvex",
    b"trex",
    b"sidx",
    b"mfra",
    b"free",
    b"esds",
    b"mp4a",
    b"alac",
    b"wave",
    b"\x1a\x45\xdf\xa3",
    b"\x18\x53\x80\x67",
    b"\x1f\x43\xb6\x75",
    b"\x16\x54\xae\x6b",
    b"\xae",
    b"\xa3",
    b"\xa0",
    b"\xa1",
    b"\x6d\x80",
    b"\x1c\x53\xbb\x6b",
    b"\xec",
    b"\x01\xff\xff\xff\xff\xff\xff\xff",
    b"OpusHead",
    b"\x01vorbis",
    b"\x03vorbis",
    b"\x05vorbis",
    b"Speex   ",
    b"\xff\xfb\x90\x00",
    b"\xff\xf1\x50\x80",
    b"\x0b\x77",
    b"\x7f\xfe\x80\x01",
    b"\xff\xf8\xc9\x18",
];

/// A sequence of numbers that looks random (`SplitMix64`), the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// A place in `length` bytes: in the first kilobyte, where structure is, as often as anywhere else.
    fn place(&mut self, length: usize) -> usize {
        if self.below(2) == 0 { self.below(length.min(1_024)) } else { self.below(length) }
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

/// `recording` damaged once or some times, with pieces of `other` here and there, and by which of the ways.
pub(crate) fn damaged(recording: &[u8], other: &[u8], random: &mut Random) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = recording.to_vec();
    let mut ways = Vec::new();
    for _ in 0..=random.below(4) {
        if bytes.len() < 16 {
            break;
        }
        let way = random.below(12);
        damage(&mut bytes, other, way, random);
        ways.push(way);
    }
    (bytes, ways)
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], way: usize, random: &mut Random) {
    let length = bytes.len();
    let at = random.place(length - 8);
    match way {
        // Bits, bytes.
        0 => (0..=random.below(8)).for_each(|_| bytes[random.place(length)] ^= 1 << random.below(8)),
        1 => (0..=random.below(8)).for_each(|_| bytes[random.place(length)] = random.byte()),
        // Cut, at the end or within.
        2 => bytes.truncate(random.place(length)),
        3 => drop(bytes.drain(at..(at + 1 + random.below(4_000)).min(length))),
        // Numbers of 8 to 64 bits, in both orders.
        4 | 5 => {
            let size = [1, 2, 3, 4, 4, 8][random.below(6)];
            let edge = EDGES[random.below(EDGES.len())];
            let value = if random.below(2) == 0 { edge.to_be_bytes() } else { edge.rotate_right(32).to_le_bytes() };
            bytes[at..at + size].copy_from_slice(&value[8 - size..]);
        }
        // Once more, many times, somewhere else.
        6 => {
            let piece = bytes[at..(at + 1 + random.below(4_000)).min(length)].to_vec();
            let times = if piece.len() < 300 { 1 + random.below(200) } else { 1 + random.below(3) };
            let to = random.place(length);
            drop(bytes.splice(to..to, piece.repeat(times)));
        }
        7 => {
            let piece = bytes[at..(at + 1 + random.below(1_000)).min(length)].to_vec();
            let to = random.place(length - piece.len() + 1);
            bytes[to..to + piece.len()].copy_from_slice(&piece);
        }
        // Another recording: its end, its beginning, a piece of it.
        8 => bytes.splice(at.., other[random.place(other.len())..].iter().copied()).for_each(drop),
        9 => {
            let from = random.place(other.len());
            let piece = &other[from..(from + 1 + random.below(4_000)).min(other.len())];
            drop(bytes.splice(at..at, piece.iter().copied()));
        }
        // What begins something, in the place of something or in between.
        10 => {
            let mark = MARKS[random.below(MARKS.len())];
            let end = if random.below(2) == 0 { at } else { (at + mark.len()).min(length) };
            drop(bytes.splice(at..end, mark.iter().copied()));
        }
        // A run of one byte.
        _ => {
            let run = vec![[0, 0xff, 0x80, random.byte()][random.below(4)]; 1 + random.below(3_000)];
            let end = if random.below(2) == 0 { at } else { (at + run.len()).min(length) };
            drop(bytes.splice(at..end, run));
        }
    }
}
