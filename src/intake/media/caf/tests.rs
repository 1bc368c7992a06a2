//! Tests of CAF and AIFF files made by hand.

use std::io::Cursor;

use super::super::inspect;
use super::super::packets::{PacketEvent, PacketReader};
use super::*;
use crate::domain::{AudioMs, Length};

fn measure(bytes: &[u8]) -> Result<Length, MediaError> {
    inspect(Cursor::new(bytes), bytes.len().try_into().unwrap()).map(|info| info.length)
}

fn ms(ms: u64) -> Length {
    Length::Measured(AudioMs::new(ms))
}

/// A chunk of CAF.
fn chunk(kind: [u8; 4], size: i64, content: &[u8]) -> Vec<u8> {
    [&kind[..], &size.to_be_bytes(), content].concat()
}

fn whole(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    chunk(kind, content.len().try_into().unwrap(), content)
}

fn caf(chunks: &[Vec<u8>]) -> Vec<u8> {
    [&b"caff\0\x01\0\0"[..], &chunks.concat()].concat()
}

/// A description of sound at 8 kHz with one channel.
fn description(code: [u8; 4], packet: [u32; 2], bits: u32) -> Vec<u8> {
    let numbers = [0, packet[0], packet[1], 1, bits].map(u32::to_be_bytes).concat();
    whole(*b"desc", &[&8000_f64.to_be_bytes()[..], &code, &numbers].concat())
}

/// A packet table with these sizes.
fn table(count: i64, sizes: &[u8]) -> Vec<u8> {
    whole(*b"pakt", &[&count.to_be_bytes()[..], &[0; 16], sizes].concat())
}

#[test]
fn sound_without_packets_is_counted_by_its_bytes() {
    let described = description(*b"lpcm", [2, 1], 16);
    let sound = [0; 4 + 1600];
    assert_eq!(measure(&caf(&[described.clone(), whole(*b"data", &sound)])).unwrap(), ms(100));
    // Padding behind the sound is no chunk.
    for filler in [0, 0xff] {
        let padded = [caf(&[described.clone(), whole(*b"data", &sound)]), vec![filler; 50_000]].concat();
        assert_eq!(measure(&padded).unwrap(), ms(100));
    }
    // An unknown size reaches to the end, and a size that is too large is cut off there.
    assert_eq!(measure(&caf(&[described.clone(), chunk(*b"data", -1, &sound)])).unwrap(), ms(100));
    assert_eq!(measure(&caf(&[described, chunk(*b"data", i64::MAX, &sound)])).unwrap(), ms(100));
}

#[test]
fn packets_are_found_by_their_table_before_or_after_the_sound() {
    // Opus packets of 20 ms, of 3, 130 and 2 bytes.
    let packet = |bytes: usize| [vec![0b0100_1000], vec![7; bytes - 1]].concat();
    let sound = whole(*b"data", &[vec![0; 4], packet(3), packet(130), packet(2)].concat());
    let described = description(*b"opus", [0, 960], 0);
    let listed = table(3, &[3, 0x81, 0x02, 2]);
    for chunks in [[&described, &listed, &sound], [&described, &sound, &listed]] {
        assert_eq!(measure(&caf(&chunks.map(Vec::clone))).unwrap(), ms(60));
    }
    // A table that lists more packets than there are, and more bytes.
    let more = table(i64::MAX, &[3, 0x81, 0x02, 2, 0xff, 0xff, 0x7f]);
    assert_eq!(measure(&caf(&[described, sound, more])).unwrap(), ms(60));
}

#[test]
fn files_that_say_too_little_or_too_much_are_refused() {
    let described = description(*b"lpcm", [2, 1], 16);
    let sound = whole(*b"data", &[0; 1604]);
    let opus = description(*b"opus", [0, 960], 0);
    for (chunks, said) in [
        (vec![sound.clone()], "its description (desc) is missing"),
        (vec![described.clone()], "its sound (data) is missing"),
        (vec![opus.clone(), sound.clone()], "its packet table (pakt) is missing"),
        (vec![described.clone(), described.clone(), sound.clone()], "two chunks of a kind"),
        (vec![described, chunk(*b"data", -2, &[])], "impossible size"),
        (vec![opus, table(9, &[0xff; 9]), sound.clone()], "packet table that is damaged"),
        (vec![description(*b"QDM2", [0, 0], 0), table(0, &[]), sound], "qdm2"),
    ] {
        let error = measure(&caf(&chunks)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn packets_of_one_size_need_no_table() {
    // Opus packets of 20 ms, of three bytes.
    let sound = whole(*b"data", &[vec![0; 4], [0b0100_1000, 7, 7].repeat(10)].concat());
    let file = caf(&[description(*b"opus", [3, 960], 0), sound]);
    assert_eq!(measure(&file).unwrap(), ms(200));
    let (packets, _) = packets(&file);
    assert_eq!(packets, vec![vec![0b0100_1000, 7, 7]; 10]);
}

#[test]
fn a_table_of_empty_packets_is_walked_a_little_at_each_call() {
    let sound = whole(*b"data", &[vec![0; 4], vec![0b0100_1000, 7, 7]].concat());
    let listed = table(i64::MAX, &[vec![0; 100_000], vec![3]].concat());
    let file = caf(&[description(*b"opus", [0, 960], 0), sound, listed]);
    assert_eq!(measure(&file).unwrap(), ms(20));
    let (packets, calls) = packets(&file);
    assert_eq!(packets, [[0b0100_1000, 7, 7]]);
    assert!(calls >= 100_000 / usize::try_from(MAX_PACKETS).unwrap(), "{calls}");
}

/// Returns the packets that decoding takes, and the number of calls that found them.
fn packets(file: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut reader = PacketReader::open(Cursor::new(file), Container::Caf, file.len().try_into().unwrap()).unwrap();
    let (mut packets, mut calls) = (Vec::new(), 0);
    while reader.advance().unwrap() || reader.has_events() {
        calls += 1;
        while let Some(event) = reader.next() {
            if let PacketEvent::Packet(packet) = event {
                packets.push(packet.to_vec());
            }
        }
    }
    (packets, calls)
}

/// An AIFF file with one channel of 16 bits at 8 kHz: its chunks in this order.
fn aiff(chunks: &[Vec<u8>]) -> Vec<u8> {
    [&b"FORM\0\0\0\0AIFF"[..], &chunks.concat()].concat()
}

fn common() -> Vec<u8> {
    let rate = [0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    [&b"COMM\0\0\0\x12\0\x01"[..], &u32::MAX.to_be_bytes(), &[0, 16], &rate].concat()
}

fn sound(stated: u32, offset: u32) -> Vec<u8> {
    [&b"SSND"[..], &stated.to_be_bytes(), &offset.to_be_bytes(), &[0; 4], &[0; 1600]].concat()
}

#[test]
fn aiff_is_counted_by_the_bytes_of_its_sound() {
    let title = b"NAME\0\0\0\x03abc\0".to_vec();
    assert_eq!(measure(&aiff(&[title.clone(), common(), sound(1608, 0), title])).unwrap(), ms(100));
    assert_eq!(measure(&aiff(&[common(), sound(u32::MAX, 0)])).unwrap(), ms(100));
    assert_eq!(measure(&aiff(&[common(), sound(808, 0)])).unwrap(), ms(50));
    for (chunks, said) in [
        (vec![sound(1608, 0)], "its format (COMM) is missing"),
        (vec![common()], "its sound (SSND) is missing"),
        (vec![common(), sound(1608, 4)], "at an offset"),
        (vec![common(), common(), sound(1608, 0)], "twice"),
    ] {
        let error = measure(&aiff(&chunks)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
