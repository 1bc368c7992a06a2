use super::super::bits::written;
use super::super::play;
use super::*;

const MAGIC: [(u32, u32); 6] = [(0x76, 8), (0x6f, 8), (0x72, 8), (0x62, 8), (0x69, 8), (0x73, 8)];

/// Builds an identification header: windows of 256 and 2048 samples at 8 kHz.
fn start() -> Vec<u8> {
    let rest = [(0, 32), (2, 8), (8_000, 32), (0, 32), (0, 32), (0, 32), (8, 4), (11, 4), (1, 8)];
    written(&[&[(1, 8)], &MAGIC[..], &rest].concat(), true)
}

/// Builds a setup header with each kind of element, and three modes: short, long, short.
fn setup() -> Vec<u8> {
    let book = |entries, lengths: &[(u32, u32)], lookup: &[(u32, u32)]| {
        [&[(0x0056_4342, 24), (2, 16), (entries, 24)], lengths, lookup].concat()
    };
    let plain = book(2, &[(0, 1), (0, 1), (1, 5), (1, 5)], &[(0, 4)]);
    let sparse = book(3, &[(0, 1), (1, 1), (1, 1), (1, 5), (0, 1), (1, 1), (1, 5)], &[(0, 4)]);
    // Nine entries of two dimensions give three values.
    let values = [(1, 4), (0, 32), (0, 32), (3, 4), (0, 1), (0, 12)];
    let ordered = book(9, &[(1, 1), (0, 5), (1, 4), (8, 4)], &values);
    let books = [&[(2, 8)], &plain[..], &sparse, &ordered].concat();
    let times = [(0, 6), (0, 16)];
    let old_floor = [(0, 16), (0, 8), (0, 16), (0, 16), (0, 6), (0, 8), (0, 4), (0, 8)];
    // Two partitions have classes 0 and 1, with dimensions of two and one; the second class has a master book and
    // two others.
    let classes = [(2, 5), (0, 4), (1, 4), (1, 3), (0, 2), (0, 8), (0, 3), (1, 2), (0, 8), (0, 16)];
    let floor = [&[(1, 16)], &classes[..], &[(0, 2), (7, 4), (0, 21)]].concat();
    let floors = [&[(1, 6)], &old_floor[..], &floor].concat();
    let residues = [(0, 6), (2, 16), (0, 24), (9, 24), (2, 24), (1, 6), (0, 8), (5, 3), (0, 1), (1, 3), (1, 1), (1, 5)];
    let mapping = [(0, 6), (0, 16), (1, 1), (1, 4), (1, 1), (0, 8), (0, 1), (1, 1), (0, 2), (0, 8), (0, 24), (0, 24)];
    let mode = |long| [(long, 1), (0, 16), (0, 16), (0, 8)];
    let modes = [&[(2, 6)], &mode(0)[..], &mode(1), &mode(0), &[(1, 1)]].concat();
    let residue_books = [(0, 8); 4];
    let all = [&[(5, 8)], &MAGIC[..], &books, &times, &floors, &residues, &residue_books, &mapping, &modes].concat();
    written(&all, true)
}

fn laced() -> Vec<u8> {
    let comments = b"\x03vorbis\x05vorbis: nothing to be read here".repeat(10);
    let lacing = [2, 30, 255, u8::try_from(comments.len() - 255).unwrap()];
    [&lacing[..], &start(), &comments, &setup()].concat()
}

#[test]
fn the_modes_are_read_in_every_form_of_the_headers() {
    assert_eq!(modes(&setup(), 2), Some(vec![false, true, false]));
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let in_order = [sized(&start()), sized(b"\x03vorbis"), sized(&setup())].concat();
    for bytes in [laced(), [start(), setup()].concat(), in_order] {
        let (first, last) = headers(&bytes).unwrap();
        assert_eq!((first, last), (&start()[..], &setup()[..]));
    }
    for cut in 0..setup().len() {
        assert_eq!(modes(&setup()[..cut], 2), None, "{cut}");
    }
}

#[test]
fn a_packet_plays_half_of_its_window_and_of_the_one_before() {
    let params = TrackParams { setup: laced(), ..TrackParams::default() };
    let mut vorbis = Vorbis::new(&params).unwrap();
    let (short, long) = ([0b000_u8], [0b010_u8, 0, 0, 0]);
    // The packets play 0, 64 and 64 from long to short, then 1024, 576, 128.
    let packets = [&short[..], &short, &long, &long, &short, &[], &short];
    assert_eq!(play(&mut vorbis, packets), (128 + 576 + 1024 + 576 + 128) / 8);
    // The packet names a mode that does not exist.
    assert_eq!(play(&mut vorbis, [&[0b110_u8][..]]), 304);
    assert!(Vorbis::new(&TrackParams::default()).is_err());
}

#[test]
fn headers_among_the_packets_begin_anew() {
    let params = TrackParams { setup: laced(), ..TrackParams::default() };
    let mut vorbis = Vorbis::new(&params).unwrap();
    let mut slow = start();
    slow[12..16].copy_from_slice(&1_000_u32.to_le_bytes());
    let (setup, long) = (setup(), [0b010_u8]);
    assert_eq!(play(&mut vorbis, [&long[..], &long, &slow, b"\x03vorbis", &setup, &long]), 128 + 1_024);
}

#[test]
fn codebooks_larger_than_any_encoders_are_refused() {
    // 131072 entries of 32 dimensions, all of one length, with one value.
    let entries = 1 << 17;
    let book = [
        (0x0056_4342, 24),
        (32, 16),
        (entries, 24),
        (1, 1),
        (16, 5),
        (entries, 18),
        (1, 4),
        (0, 32),
        (0, 32),
        (0, 4),
        (0, 1),
        (0, 1),
    ];
    let header = |books: u32| {
        let all: Vec<_> = (0..books).flat_map(|_| book).collect();
        written(&[&[(5, 8)], &MAGIC[..], &[(books - 1, 8)], &all].concat(), true)
    };
    let one = header(1);
    let mut bits = LowBits::new(&one[8..]);
    assert_eq!(codebook(&mut bits), Some(u64::from(entries) * 32), "a book is read as it was written");
    assert_eq!(modes(&header(2), 2), None);
    assert!(header(256).len() < 8 * 1024);
}
