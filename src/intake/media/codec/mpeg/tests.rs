use super::super::play;
use super::*;

/// Builds a frame of layer III at 48 kHz and 64 kbit/s: 192 bytes, 24 ms.
fn frame() -> Vec<u8> {
    let mut frame = vec![0x55; 192];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x54, 0xc4]);
    frame
}

fn frames(count: usize) -> Vec<u8> {
    frame().repeat(count)
}

/// Returns the number of frames that a stream plays, and checks that cutting the stream does not change it.
fn chain(bytes: &[u8]) -> u64 {
    let counts = [1, 3, 191, 100_000].map(|size| {
        let mut chain = MpegChain::default();
        bytes.chunks(size).for_each(|piece| chain.feed(piece));
        assert_eq!(chain.played_nanos(), chain.frames() * 24_000_000);
        chain.frames()
    });
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    counts[0]
}

#[test]
fn a_header_gives_size_and_length() {
    for (head, bytes, samples, rate, layer) in [
        ([0xff, 0xfb, 0x90, 0x00], 417, 1152, 44_100, 3),
        ([0xff, 0xfb, 0x92, 0x00], 418, 1152, 44_100, 3),
        ([0xff, 0xf3, 0x48, 0xc0], 144, 576, 16_000, 3),
        ([0xff, 0xe3, 0x18, 0xc0], 72, 576, 8_000, 3),
        ([0xff, 0xfd, 0xc4, 0x00], 768, 1152, 48_000, 2),
        ([0xff, 0xff, 0xe4, 0x00], 448, 384, 48_000, 1),
        ([0xff, 0xf7, 0xe4, 0x00], 512, 384, 24_000, 1),
    ] {
        assert_eq!(Frame::parse(head), Some(Frame { bytes, samples, rate, layer }), "{head:x?}");
    }
}

#[test]
fn what_is_no_header_gives_nothing() {
    for head in [*b"text", [0xff, 0xf1, 0x50, 0x80], [0xff, 0xfb, 0x00, 0x00], [0xff, 0xfb, 0xf0, 0x00], [0xff; 4]] {
        assert_eq!(Frame::parse(head), None, "{head:x?}");
    }
}

#[test]
fn frames_are_counted_one_behind_the_other() {
    assert_eq!(chain(&frames(20)), 20);
    // The last frame is cut off: a decoder plays it.
    assert_eq!(chain(&frames(20)[..19 * 192 + 10]), 20);
}

#[test]
fn padding_and_tags_between_frames_are_no_sound() {
    for gap in [vec![0; 5_000], vec![0xff; 5_000], [b"TAG".as_slice(), &[b'x'; 125]].concat(), b"junk".repeat(999)] {
        let bytes = [frames(10), gap.clone(), frames(10), gap].concat();
        assert_eq!(chain(&bytes), 20);
    }
}

#[test]
fn a_header_among_other_bytes_needs_another_behind_its_frame() {
    let noise = |count: usize| b"\x01\x02\x03".repeat(count);
    let bytes = [frames(3), noise(50), frame(), noise(50), frame(), noise(50), frames(2)].concat();
    assert_eq!(chain(&bytes), 5);
}

#[test]
fn the_first_frame_of_a_higher_rate_plays_at_the_lower_one() {
    let slow = [&[0xff, 0xe3, 0x18, 0xc0][..], &[0x55; 68]].concat();
    let both = [slow.repeat(2), frames(2)].concat();
    let twice = [both.clone(), both].concat();
    let plays = 2 * (2 * 72 + 144 + 24);
    assert_eq!(play(&mut Mpeg::default(), [&twice[..]]), plays);
    let mut apart = MpegChain::default();
    for piece in [slow.repeat(2), frames(2), slow.repeat(2), frames(2)] {
        apart.feed(&piece);
        apart.finish();
    }
    assert_eq!(apart.played_nanos() / 1_000_000, plays);
}

#[test]
fn a_packet_plays_all_frames_that_are_in_it() {
    let whole = frames(100);
    assert_eq!(play(&mut Mpeg::default(), [whole.as_slice()]), 2_400);
    // Frames cut by packets are joined, and packets that hold only heads still play.
    assert_eq!(play(&mut Mpeg::default(), whole.chunks(100)), 2_400);
    assert_eq!(play(&mut Mpeg::default(), whole.chunks(192).map(|frame| &frame[..4])), 2_400);
    assert_eq!(play(&mut Mpeg::default(), [&[][..]]), 0);
}
