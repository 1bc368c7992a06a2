//! Tests of the demuxer on small files built here.

use super::page::build;
use super::*;
use crate::intake::media::codec::{TrackParams, Wants};
use crate::intake::media::demux::{Timestamp, TrackId};

/// A sink that records the findings of a demuxer.
#[derive(Debug, Default)]
struct Found {
    tracks: Vec<String>,
    packets: Vec<Vec<u8>>,
    links: u32,
    setups: Vec<usize>,
}

impl PacketSink for Found {
    fn track(&mut self, _id: TrackId, params: &TrackParams) -> Result<(), MediaError> {
        let container = Container::Ogg;
        let codec = params.codec.clone().map_err(|codec| MediaError::Codec { container, codec })?;
        self.tracks.push(codec.name().to_owned());
        self.setups.push(params.setup.len());
        Ok(())
    }

    fn begin(&mut self, _id: TrackId, _size: u64, _at: Option<Timestamp>) -> Wants {
        self.packets.push(Vec::new());
        Wants::Everything
    }

    fn bytes(&mut self, _id: TrackId, bytes: &[u8]) {
        self.packets.last_mut().unwrap().extend_from_slice(bytes);
    }

    fn unseen(&mut self, _id: TrackId, _count: u64) {}

    fn end(&mut self, _id: TrackId) {}

    fn stray(&mut self, _count: u64) {}

    fn link(&mut self) {
        self.links += 1;
    }
}

/// Shows `file` in windows of the requested size plus `more` bytes.
fn look_by(file: &[u8], more: usize) -> Result<Found, MediaError> {
    let (mut demuxer, mut found) = (Ogg::new(), Found::default());
    let (mut from, mut shown) = (0, more);
    loop {
        shown = shown.min(file.len());
        match demuxer.step(&file[from..shown], shown == file.len(), &mut found)? {
            Step::Advance(count) => {
                assert!(count > 0);
                from = (from + usize::try_from(count).unwrap()).min(file.len());
                shown = shown.max(from + more);
            }
            Step::Need(count) => {
                assert!(shown < file.len() && count > shown - from && count <= crate::intake::media::demux::MAX_WINDOW);
                shown = from + count + more - 1;
            }
            Step::End => return Ok(found),
        }
    }
}

fn measure(file: &[u8]) -> Result<Found, MediaError> {
    let found = look_by(file, file.len() + 1)?;
    for more in [1, 100] {
        let again = look_by(file, more).unwrap();
        assert_eq!((&again.packets, again.links), (&found.packets, found.links), "{more}");
    }
    Ok(found)
}

const HEAD: &[u8] = b"OpusHead\x01\x01\0\0\0\0\0\0\0\0\0\0\0";

fn opus(serial: u32, packets: &[&[u8]]) -> Vec<u8> {
    [build(2, serial, &[HEAD], false), build(0, serial, &[b"OpusTags"], false), build(0, serial, packets, false)]
        .concat()
}

#[test]
fn packets_are_found_in_pages_and_across_them() {
    let long = [7; 600];
    let file =
        [opus(1, &[b"a", b"bc"]), build(0, 1, &[b"d", &long[..510]], true), build(1, 1, &[&long[510..], b"e"], false)];
    let found = measure(&file.concat()).unwrap();
    assert_eq!(found.packets, [&b"a"[..], b"bc", b"d", &long, b"e"]);
    assert_eq!(found.tracks, ["opus"]);
}

#[test]
fn the_rest_of_a_packet_whose_beginning_is_missing_is_none() {
    let found = measure(&[opus(1, &[b"a"]), build(1, 1, &[b"rest", b"b"], false)].concat()).unwrap();
    assert_eq!(found.packets, [b"a", b"b"]);
}

#[test]
fn comments_of_any_size_are_passed_over() {
    let comments = vec![b'c'; 2_000_000];
    let mut file = build(2, 1, &[HEAD], false);
    let pieces: Vec<_> = comments.chunks(255 * 200).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let piece = [if at == 0 { &b"OpusTags"[..] } else { b"" }, piece].concat();
        let piece = &piece[..piece.len() / 255 * 255];
        file.extend(build(u8::from(at > 0), 1, &[piece], at + 1 < pieces.len()));
    }
    file.extend(build(0, 1, &[b"a"], false));
    assert_eq!(look_by(&file, 1).unwrap().packets, [b"a"]);
    let mut demuxer = Ogg::new();
    let mut found = Found::default();
    let mut from = 0;
    while let Ok(Step::Advance(count)) = demuxer.step(&file[from..(from + 131_072).min(file.len())], false, &mut found)
    {
        from += usize::try_from(count).unwrap();
        assert!(demuxer.streams.held() <= 128 * 1024);
    }
}

#[test]
fn vorbis_setup_is_kept_and_comments_are_not() {
    let identification = [&b"\x01vorbis"[..], &[0; 23]].concat();
    let setup = [&b"\x05vorbis"[..], &[3; 3000]].concat();
    let file = [
        build(2, 1, &[&identification], false),
        build(0, 1, &[&[&b"\x03vorbis"[..], &vec![b'c'; 30_000]].concat(), &setup], false),
        build(0, 1, &[b"\0a"], false),
    ];
    let found = measure(&file.concat()).unwrap();
    assert_eq!((&found.tracks[..], found.packets), (&["vorbis".to_owned()][..], vec![b"\0a".to_vec()]));
    assert_eq!(found.setups, [3 + 30 + 16 + setup.len()]);
}

#[test]
fn links_of_a_chain_are_played_one_behind_the_other() {
    // Another serial number, and the same one: the file joined with itself.
    for serial in [1, 2] {
        let found = measure(&[opus(1, &[b"a"]), opus(serial, &[b"b"])].concat()).unwrap();
        assert_eq!((found.links, found.packets), (1, vec![b"a".to_vec(), b"b".to_vec()]));
    }
    // A player that continues as before takes headers for sound.
    let speex =
        [build(2, 1, &[&[b"Speex   ".to_vec(), vec![1; 72]].concat()], false), build(0, 1, &[b"tags", b"s"], false)]
            .concat();
    let found = measure(&[opus(1, &[b"a"]), speex].concat()).unwrap();
    assert!(found.links == 1 && found.packets.iter().filter(|packet| *packet == b"s").count() == 2);
}

#[test]
fn streams_beside_each_other_are_told_apart() {
    let file = [
        build(2, 9, &[b"\x80theora"], false),
        build(2, 1, &[HEAD], false),
        build(0, 9, &[b"picture"], false),
        build(0, 1, &[b"OpusTags", b"a"], false),
        build(0, 9, &[b"picture"], false),
        build(0, 1, &[b"b"], false),
    ];
    assert_eq!(measure(&file.concat()).unwrap().packets, [b"a", b"b"]);
}

#[test]
fn pages_whose_checksum_is_wrong_are_passed_over() {
    let mut damaged = build(0, 1, &[b"damaged"], false);
    damaged[30] ^= 1;
    let file = [opus(1, &[b"a"]), damaged, b"junk OggS junk".to_vec(), vec![0; 70_000], build(0, 1, &[b"b"], false)];
    assert_eq!(measure(&file.concat()).unwrap().packets, [b"a", b"b"]);
}

#[test]
fn what_is_cut_off_counts_up_to_the_last_whole_page() {
    let file = [opus(1, &[b"a"]), build(0, 1, &[b"b"], false)].concat();
    assert_eq!(measure(&file[..file.len() - 1]).unwrap().packets, [b"a"]);
}

#[test]
fn pages_inside_a_page_are_refused_where_a_player_could_come_to_them() {
    let inner = build(0, 1, &[b"b"], false);
    let whole = opus(1, &[&inner]);
    assert_eq!(measure(&whole).unwrap().packets, [inner]);
    assert!(matches!(look_by(&[&whole[..], b"junk"].concat(), 1), Err(MediaError::Overlapping { .. })));
}

#[test]
fn false_pages_cost_no_more_than_a_few_times_their_bytes() {
    // Each header lies in the segment table of another.
    let head = b"OggS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff";
    let file = head.repeat(100_000);
    assert!(matches!(look_by(&file, 100_000), Err(MediaError::Overlapping { .. })));
    // A small number could be an accident.
    assert!(look_by(&head.repeat(20), 1).is_ok());
}

#[test]
fn codecs_that_are_not_counted_are_refused_by_name() {
    for (mark, name) in [(&b"CELT    "[..], "celt"), (b"PCM     ", "Ogg PCM")] {
        let file = [build(2, 1, &[mark], false), build(2, 2, &[HEAD], false)].concat();
        let refused = look_by(&file, 1).unwrap_err().to_string();
        assert!(refused.contains(name), "{refused}");
    }
}

#[test]
fn ogm_packets_are_freed_of_their_lengths() {
    let mut head = b"\x01audio\0\0\x000055".to_vec();
    head.extend([&52_u32.to_le_bytes()[..], &10_000_000_u64.to_le_bytes(), &8000_u64.to_le_bytes(), &[0; 20]].concat());
    let file =
        [build(2, 1, &[&head], false), build(0, 1, &[b"\x03tags", b"\0frame", b"\xc2\0\0\0\0\0\0\0frame"], false)];
    let found = measure(&file.concat()).unwrap();
    assert_eq!((&found.tracks[..], found.packets), (&["mp3".to_owned()][..], vec![b"frame".to_vec(); 2]));
}

#[test]
fn flac_in_ogg_has_as_many_headers_as_it_likes() {
    let head = [&b"\x7fFLAC\x01\0\0\x02fLaC\0\0\0\x22"[..], &[5; 34]].concat();
    let file =
        [build(2, 1, &[&head], false), build(0, 1, &[b"\x84\0\0\0"], false), build(0, 1, &[b"\xff\xf8frame"], false)];
    let found = measure(&file.concat()).unwrap();
    assert_eq!((&found.tracks[..], &found.setups[..]), (&["flac".to_owned()][..], &[42][..]));
    assert_eq!(found.packets, [b"\xff\xf8frame"]);
}
