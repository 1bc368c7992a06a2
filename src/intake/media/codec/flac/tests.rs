use super::super::play;
use super::*;

/// Builds a frame of 4096 samples at 16 kHz, with `body` as its sound.
fn frame(number: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff, 0xf8, 0xc5, 0x08, number];
    frame.push(crc8(&frame));
    frame.extend_from_slice(body);
    frame
}

/// Returns the number of frames in a stream, and checks that cutting the stream does not change it.
fn chain(bytes: &[u8]) -> u64 {
    let counts = [1, 5, 15, 16, 17, 1_000_000].map(|size| {
        let mut chain = FlacChain::new(&info(4096, 16_000), 0);
        bytes.chunks(size).for_each(|piece| chain.feed(piece));
        chain.finish();
        assert_eq!(chain.played_nanos(), chain.frames() * 256_000_000);
        chain.frames()
    });
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    counts[0]
}

/// Builds a `STREAMINFO` block.
fn info(max_samples: u16, rate: u32) -> Vec<u8> {
    let mut info = vec![0x10, 0x00];
    info.extend_from_slice(&max_samples.to_be_bytes());
    info.extend_from_slice(&[0; 6]);
    info.extend_from_slice(&(rate << 12).to_be_bytes());
    info.resize(34, 0);
    info
}

#[test]
fn a_header_is_known_by_its_checksum() {
    let good = frame(3, &[]);
    let expected = FlacFrame { samples: 4096, rate: 16_000, kind: (0xf8, 4), layout: 0, number: 3 };
    assert_eq!(FlacFrame::parse(&good), Some(expected));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_eq!(FlacFrame::parse(&bad), None, "{at}");
        assert_eq!(FlacFrame::parse(&good[..at]), None, "{at}");
    }
    // The header has a long number, and its own size and rate.
    let mut long = vec![0xff, 0xf9, 0x7d, 0x18, 0xf0, 0x90, 0x80, 0x80, 0x03, 0xe7, 0x1f, 0x40];
    long.push(crc8(&long));
    assert_eq!(
        FlacFrame::parse(&long),
        Some(FlacFrame { samples: 1000, rate: 8_000, kind: (0xf9, 4), layout: 1, number: 0x1_0000 })
    );
}

#[test]
fn every_frame_counts_whatever_its_number() {
    let bytes: Vec<u8> = (0..50).flat_map(|_| frame(5, &[0xaa; 300])).collect();
    assert_eq!(chain(&bytes), 50);
    let short: Vec<u8> = (0..50).flat_map(|number| frame(number, &[])).collect();
    assert_eq!(chain(&short), 50);
    let joined = [bytes.clone(), b"fLaC".to_vec(), vec![0; 9_000], vec![0xff; 9_000], bytes].concat();
    assert_eq!(chain(&joined), 100);
}

#[test]
fn a_stranger_that_is_too_long_is_there_by_chance() {
    let mut stranger = vec![0xff, 0xf9, 0x74, 0x18, 0x00, 0xff, 0xfe];
    stranger.push(crc8(&stranger));
    assert!(FlacFrame::parse(&stranger).is_some());
    assert_eq!(chain(&[frame(0, &stranger), frame(1, &[0; 9])].concat()), 2);
}

#[test]
fn a_packet_plays_all_frames_that_are_in_it() {
    let params = TrackParams { setup: info(4096, 16_000), ..TrackParams::default() };
    let packet: Vec<u8> = (0..10).flat_map(|number| frame(number, &[0x33; 40])).collect();
    assert_eq!(play(&mut Flac::new(&params), [&packet[..], &packet, &[]]), 20 * 256);
}

#[test]
fn a_rate_that_no_frame_says_is_in_the_setup() {
    let mut frame = vec![0xff, 0xf8, 0xc0, 0x08, 0];
    frame.push(crc8(&frame));
    let block = [&[0x80, 0, 0, 34][..], &info(4096, 8_000)].concat();
    for setup in [info(4096, 8_000), [b"fLaC", &block[..]].concat(), block.clone(), [&[0; 4], &block[..]].concat()] {
        let params = TrackParams { setup, rate: 48_000, ..TrackParams::default() };
        assert_eq!(play(&mut Flac::new(&params), [&frame[..]]), 512);
    }
}
