//! Tests of the packets that decoding takes.

use std::io::ErrorKind;

use super::super::super::packets::{PacketEvent, PacketReader};
use super::*;

/// A source of which more arrives with each read that fails.
struct Arriving {
    bytes: Cursor<Vec<u8>>,
    arrived: usize,
    more: usize,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(self.bytes.position()).unwrap();
        let there = self.arrived.saturating_sub(at).min(buffer.len());
        if there == 0 && self.arrived < self.bytes.get_ref().len() {
            self.arrived += self.more;
            return Err(ErrorKind::WouldBlock.into());
        }
        self.bytes.read(&mut buffer[..there])
    }
}

impl Seek for Arriving {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// Returns the packets of a file of which `more` bytes arrive at a time, and how often its reader waited.
fn packets(file: &[u8], more: usize) -> (Vec<Vec<u8>>, u32) {
    let source = Arriving { bytes: Cursor::new(file.to_vec()), arrived: 4096, more };
    let mut reader = PacketReader::open(source, Container::Mp4, file.len().try_into().unwrap()).unwrap();
    let (mut packets, mut waits) = (Vec::new(), 0);
    loop {
        while let Some(event) = reader.next() {
            match event {
                PacketEvent::Packet(packet) => packets.push(packet.to_vec()),
                PacketEvent::Track(_) | PacketEvent::Edits(_) => {}
                other => panic!("{other:?}"),
            }
        }
        match reader.advance() {
            Ok(true) => {}
            Ok(false) if reader.has_events() => {}
            Ok(false) => return (packets, waits),
            Err(MediaError::Read(error)) if error.kind() == ErrorKind::WouldBlock => waits += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns packets of 700 bytes, of which each has its number.
fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| [&[0x08, number][..], &[7; 698]].concat()).collect()
}

#[test]
fn tables_play_before_fragments() {
    let may = boxed(b"mvex", table(b"trex", &[1, 1, 960, 3, 0]));
    let listed = numbered(100);
    let track = Sound { rate: 48000, ..Sound::new(b"Opus") }.packets(&[700; 100]).times(&[u32::MAX, 960]).track();
    let media = boxed(b"mdat", listed.concat());
    let file = [ftyp(), media, movie(&[track, may].concat()), fragments::fragment(5), fragments::fragment(2)].concat();
    assert_eq!(ms(&file), 2140);
    let expected = [listed, vec![vec![0x08, 0xff, 0xfe]; 7]].concat();
    assert_eq!(packets(&file, usize::MAX / 2).0, expected);
    let (arriving, waits) = packets(&file, 301);
    assert!(waits > 100, "{waits}");
    assert_eq!(arriving, expected);
}

#[test]
fn no_packet_is_lost_while_a_file_arrives() {
    let listed = numbered(100);
    let sound = Sound { rate: 48000, ..Sound::new(b"Opus") }.packets(&[700; 100]).times(&[u32::MAX, 960]);
    let at = [ftyp(), movie(&sound.track())].concat().len() + 8;
    let index = movie(&Sound { offsets: vec![at.try_into().unwrap()], ..sound }.track());
    let file = [ftyp(), index, boxed(b"mdat", listed.concat())].concat();
    for more in [7, 301, 5000] {
        let (arriving, waits) = packets(&file, more);
        assert!(waits > 10, "{waits}");
        assert_eq!(arriving, listed, "{more} bytes at a time");
    }
}

#[test]
fn tables_that_are_read_at_once_are_short() {
    let long = Sound { edits: [1, 0].repeat(70_000), ..opus_track(10) };
    assert!(error(&long.file(&opus(10))).contains("longer edit list"), "{}", error(&long.file(&opus(10))));
    let long = Sound { chunks: [vec![1, 10, 1], vec![0; 3 * 5000]].concat(), ..opus_track(10) };
    assert!(error(&long.file(&opus(10))).contains("empty entries"), "{}", error(&long.file(&opus(10))));
    let some = Sound { chunks: [vec![1, 10, 1], vec![0; 3 * 100]].concat(), ..opus_track(10) };
    assert_eq!(ms(&some.file(&opus(10))), 200);
}
