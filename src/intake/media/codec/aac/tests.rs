use super::super::bits::written;
use super::super::play;
use super::*;

/// One channel of silence: an element, its gain, a long window without bands, nothing else; the end. 64 ms at 16
/// kHz.
const SILENCE: [u8; 4] = [0x00, 0x00, 0x00, 0x07];

fn clock() -> Aac {
    let params = TrackParams { setup: vec![0x14, 0x08], channels: 1, ..TrackParams::default() };
    Aac::new(&params).unwrap()
}

#[test]
fn a_packet_plays_all_blocks_that_are_in_it() {
    assert_eq!(play(&mut clock(), [&SILENCE[..], &SILENCE]), 128);
    // The packet is larger than the bytes held at once.
    assert_eq!(play(&mut clock(), [&SILENCE.repeat(100_000)[..]]), 6_400_000);
    assert_eq!(play(&mut clock(), [&[][..]]), 0);
}

#[test]
fn zeros_behind_a_block_are_none() {
    assert_eq!(play(&mut clock(), [&[&SILENCE[..], &[0; 900]].concat()[..]]), 64);
    // Blocks without channels, with only fill bytes and data, do not count either.
    let fill = written(&[(6, 3), (2, 4), (0, 16), (4, 3), (0, 4), (1, 1), (1, 8), (0, 1), (0, 8), (7, 3)], false);
    assert_eq!(play(&mut clock(), [&fill[..], &SILENCE]), 64);
    assert_eq!(play(&mut clock(), [&[&fill[..], &SILENCE, &fill, &SILENCE].concat()[..]]), 128);
}

#[test]
fn what_is_damaged_plays_as_one_block() {
    let mut clock = clock();
    assert_eq!(play(&mut clock, [&SILENCE[..3]]), 64);
    assert_eq!((play(&mut clock, [&[&SILENCE[..], &[0xaa; 5_000]].concat()[..]]), clock.stray()), (192, 0));
    // No block is as large as this.
    assert_eq!((play(&mut clock, [vec![0xaa; 56_144].as_slice()]), clock.stray()), (256, 50_000));
}

#[test]
fn what_is_behind_a_block_that_cannot_be_held_is_as_long_as_it_can_be() {
    // Data elements of 510 bytes follow without an end.
    let data = [written(&[(4, 3), (0, 4), (1, 1), (255, 8), (255, 8)], false), vec![0; 510]].concat();
    let packet = [data.repeat(200), vec![0xe0], SILENCE.repeat(1_000)].concat();
    assert!(play(&mut clock(), [&packet[..]]) >= 64_000);
}

#[test]
fn every_element_is_read_to_its_end() {
    // A channel pair has common windows: eight short ones in two groups of one band each, with mid/side stereo in
    // both.
    let windows = [(0, 1), (2, 2), (0, 1), (1, 4), (0b111_0111, 7), (1, 2), (0b11, 2)];
    // The gain; two groups: book 1, one band; scale factors of one bit; no pulses; a filter in the first window.
    let scales = [(0, 8), (1, 4), (1, 3), (1, 4), (1, 3), (0, 2), (0, 1)];
    let filters = [(1, 1), (1, 1), (0, 1), (3, 4), (2, 3), (0, 1), (0, 1), (0, 6), (0, 7)];
    // Eight windows have one codeword each.
    let lines = [(0, 1), (0, 8)];
    let channel = [&scales[..], &filters, &lines].concat();
    let pair = [&[(1, 3), (0, 4), (1, 1)], &windows[..], &channel, &channel, &[(7, 3)]].concat();
    assert_eq!(play(&mut clock(), [&written(&pair, false).repeat(5)[..]]), 320);
    // Escapes: one band of book 11 with all values 16 (code 0x004 of 5 bits), signs, and an escape for each.
    let escapes = (0..4).flat_map(|_| [(4, 5), (0, 2), (0, 5), (0b1110, 4), (0, 7)]);
    let head = [(0, 3), (0, 4), (0, 8), (0, 4), (1, 6), (0, 1), (11, 4), (1, 5), (0, 1), (0, 3)];
    let block: Vec<(u32, u32)> = head.into_iter().chain(escapes).chain([(7, 3)]).collect();
    assert_eq!(play(&mut clock(), [&written(&block, false).repeat(3)[..]]), 192);
}

#[test]
fn heads_between_blocks_are_passed_over_and_believed() {
    // The rate is 16 kHz, then 8 kHz, without a checksum and with one.
    let head = |index: u8, absent: u8| [0xff, 0xf0 | absent, 0x40 | index << 2, 0x40, 0x01, 0x7f, 0xfc];
    let packet = [&head(8, 1)[..], &SILENCE, &head(11, 1), &SILENCE, &head(11, 0), &[0; 2], &SILENCE].concat();
    assert_eq!(play(&mut clock(), [&packet[..]]), 64 + 128 + 128);
}

#[test]
fn a_packet_of_another_kind_is_one_frame() {
    let params = |setup: &[u8]| TrackParams { setup: setup.to_vec(), ..TrackParams::default() };
    let mut low_delay = Aac::new(&params(&[0xb9, 0x90, 0x00])).unwrap();
    assert_eq!((play(&mut low_delay, [&[0; 100][..]; 3]), low_delay.stray()), (32, 0));
    assert_eq!(play(&mut low_delay, [&[0; 7_144][..]]) + low_delay.stray(), 42 + 1_000);
    let mut unified = Aac::new(&params(&[0xf9, 0x4c, 0x26, 0x40])).unwrap();
    assert_eq!(play(&mut unified, [&[0; 100][..]; 3]), 256);
    assert_eq!(Aac::new(&params(&[])).unwrap_err(), "aac without a sampling rate");
}
