//! Tests of the demuxer on small files built here.

use super::*;
use crate::intake::media::codec::{TrackParams, Wants};
use crate::intake::media::demux::{Timestamp, TrackId};

/// A sink that records the findings of a demuxer.
#[derive(Default)]
struct Found {
    tracks: Vec<(u32, String)>,
    packets: Vec<(u32, Vec<u8>)>,
    stray: u64,
    links: u32,
}

impl PacketSink for Found {
    fn track(&mut self, id: TrackId, params: &TrackParams) -> Result<(), MediaError> {
        let codec = params.codec.clone().map(|codec| codec.name().to_owned());
        let container = Container::Webm;
        self.tracks.push((id.0, codec.map_err(|codec| MediaError::Codec { container, codec })?));
        Ok(())
    }

    fn begin(&mut self, id: TrackId, _size: u64, _at: Option<Timestamp>) -> Wants {
        self.packets.push((id.0, Vec::new()));
        Wants::Everything
    }

    fn bytes(&mut self, id: TrackId, bytes: &[u8]) {
        let packet = self.packets.iter_mut().rfind(|packet| packet.0 == id.0).unwrap();
        packet.1.extend_from_slice(bytes);
    }

    fn unseen(&mut self, _id: TrackId, _count: u64) {
        panic!("everything was wanted");
    }

    fn end(&mut self, _id: TrackId) {}

    fn stray(&mut self, count: u64) {
        self.stray += count;
    }

    fn link(&mut self) {
        self.links += 1;
    }
}

/// Shows `file` in windows that grow by `by` bytes.
fn look_by(file: &[u8], by: usize) -> Result<Found, MediaError> {
    let (mut demuxer, mut found) = (Matroska::new(), Found::default());
    let (mut from, mut shown) = (0, 0);
    loop {
        shown = (shown + by).min(file.len());
        match demuxer.step(&file[from..shown], shown == file.len(), &mut found)? {
            Step::Advance(count) => {
                assert!(count > 0, "no step is empty");
                from = (from + usize::try_from(count).unwrap()).min(file.len());
                shown = shown.max(from) - usize::from(from < shown).min(by);
            }
            Step::Need(count) => {
                assert!(shown < file.len() && count > shown - from, "more is needed than there is");
                shown = shown.max(from + count - by.min(count));
            }
            Step::End => return Ok(found),
        }
    }
}

/// Returns the findings in `file`, after checking that they do not depend on the size of the windows.
fn measure(file: &[u8]) -> Result<Found, MediaError> {
    let found = look_by(file, file.len().max(1))?;
    for by in [1, 13, 500] {
        let again = look_by(file, by).unwrap();
        assert_eq!((&again.packets, again.links, again.stray), (&found.packets, found.links, found.stray), "by {by}");
    }
    Ok(found)
}

fn sounds(file: &[u8]) -> Vec<Vec<u8>> {
    measure(file).unwrap().packets.into_iter().map(|packet| packet.1).collect()
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

fn sized(id: u32, size: usize) -> Vec<u8> {
    [id_bytes(id), (1 << 28 | u32::try_from(size).unwrap()).to_be_bytes().to_vec()].concat()
}

fn element(id: u32, content: &[u8]) -> Vec<u8> {
    [sized(id, content.len()), content.to_vec()].concat()
}

fn endless(id: u32, content: &[u8]) -> Vec<u8> {
    [id_bytes(id), vec![0xff], content.to_vec()].concat()
}

fn header() -> Vec<u8> {
    element(id::EBML, &element(0x4282, b"webm"))
}

fn entry(number: u8, codec: &str, more: &[u8]) -> Vec<u8> {
    let what = [element(id::TRACK_NUMBER, &[number]), element(0x83, &[2]), element(id::CODEC_ID, codec.as_bytes())];
    element(id::TRACK_ENTRY, &[what.concat(), more.to_vec()].concat())
}

fn tracks(entries: &[Vec<u8>]) -> Vec<u8> {
    element(id::TRACKS, &entries.concat())
}

fn opus() -> Vec<u8> {
    tracks(&[entry(1, "A_OPUS", &[])])
}

fn block(number: u8, packet: &[u8]) -> Vec<u8> {
    element(id::SIMPLE_BLOCK, &[&[0x80 | number, 0, 0, 0x80], packet].concat())
}

fn cluster(blocks: &[Vec<u8>]) -> Vec<u8> {
    element(id::CLUSTER, &[element(id::TIMESTAMP, &[0]), blocks.concat()].concat())
}

fn file(children: &[Vec<u8>]) -> Vec<u8> {
    [header(), element(id::SEGMENT, &children.concat())].concat()
}

fn live(children: &[Vec<u8>]) -> Vec<u8> {
    [header(), endless(id::SEGMENT, &children.concat())].concat()
}

#[test]
fn packets_of_audio_tracks_are_found_and_those_of_others_are_not() {
    let described = tracks(&[entry(1, "V_VP9", &[]), entry(2, "A_OPUS", &[]), entry(3, "S_TEXT/UTF8", &[])]);
    let group =
        element(id::BLOCK_GROUP, &[element(id::BLOCK, b"\x82\0\0\0cd"), element(id::BLOCK_DURATION, &[9])].concat());
    let found =
        measure(&file(&[described, cluster(&[block(1, b"picture"), block(2, b"ab"), block(3, b"text"), group])]))
            .unwrap();
    assert_eq!(found.tracks, [(1, "opus".to_owned())]);
    assert_eq!(found.packets, [(1, b"ab".to_vec()), (1, b"cd".to_vec())]);
    assert_eq!(found.stray, 0);
}

#[test]
fn a_block_of_several_packets_is_taken_apart() {
    let laced = |flags: u8, head: &[u8]| element(id::SIMPLE_BLOCK, &[&[0x81, 0, 0, flags], head, b"aabbbc"].concat());
    let blocks = [laced(2, &[2, 2, 3]), laced(4, &[2]), laced(6, &[2, 0x82, 0xc0])];
    let packets = sounds(&file(&[opus(), cluster(&blocks)]));
    assert_eq!(packets, [&b"aa"[..], b"bbb", b"c", b"aa", b"bb", b"bc", b"aa", b"bbb", b"c"]);
}

#[test]
fn live_recordings_have_no_sizes() {
    let clusters =
        [b"a", b"b"].map(|packet| endless(id::CLUSTER, &[element(id::TIMESTAMP, &[0]), block(1, packet)].concat()));
    assert_eq!(sounds(&live(&[opus(), clusters.concat()])), [b"a", b"b"]);
}

#[test]
fn a_recording_that_was_cut_off_counts_up_to_there() {
    let whole = file(&[opus(), cluster(&[block(1, b"first"), block(1, b"second")])]);
    for cut in 1..whole.len() {
        let found = measure(&whole[..cut]).unwrap();
        assert!(found.packets.len() <= 2 && found.stray == 0, "{cut}");
        assert_eq!(found.packets.len() == 2, cut + 6 > whole.len(), "{cut}");
    }
}

#[test]
fn a_second_file_behind_the_first_counts() {
    let one = file(&[opus(), cluster(&[block(1, b"a")])]);
    let found = measure(&[one.clone(), one.clone(), one].concat()).unwrap();
    assert_eq!((found.links, found.packets.len(), found.stray), (2, 3, 0));
    // A track with another description counts as both, since some players do not notice and decode it as before.
    let other = file(&[tracks(&[entry(1, "A_MPEG/L3", &[])]), cluster(&[block(1, b"b")])]);
    let found = measure(&[live(&[opus(), cluster(&[block(1, b"a")])]), other].concat()).unwrap();
    assert_eq!(found.packets.iter().filter(|packet| packet.1 == b"b").count(), 2);
    let names: Vec<_> = found.tracks.iter().map(|track| &*track.1).collect();
    assert_eq!(names, ["opus", "mp3", "opus"]);
}

#[test]
fn sound_does_not_hide_behind_a_size() {
    let hidden = [cluster(&[block(1, b"b")]), cluster(&[block(1, b"c")])].concat();
    for id in [id::CUES, id::VOID, id::TAGS, id::ATTACHMENTS, id::CHAPTERS, id::TRACKS, id::INFO, 0x5555] {
        for children in [
            vec![opus(), cluster(&[block(1, b"a")]), element(id, &hidden)],
            vec![opus(), element(id, &hidden), cluster(&[block(1, b"a")])],
            vec![opus(), cluster(&[block(1, b"a"), element(id, &hidden)])],
            vec![opus(), cluster(&[block(1, b"a")]), [sized(id, 1 << 20), hidden.clone()].concat()],
        ] {
            let mut packets = look_by(&live(&children), 1 << 20).unwrap().packets;
            packets.sort();
            assert_eq!(packets.len(), 3, "{id:x}: {packets:?}");
        }
    }
}

#[test]
fn clusters_inside_packets_are_refused_where_a_player_could_come_to_them() {
    let inner = cluster(&[block(1, b"b")]);
    let whole = [opus(), cluster(&[block(1, &inner)])];
    // Nothing leads a player there.
    assert_eq!(sounds(&file(&whole)), [inner]);
    let refused = |file: &[u8]| matches!(look_by(file, 1 << 20), Err(MediaError::Overlapping { .. }));
    // A segment that continues, and junk: players search after the last element that they know.
    let lengths = whole.concat().len();
    assert!(refused(&[header(), sized(id::SEGMENT, lengths + 9), whole.concat()].concat()));
    assert!(refused(&live(&[&whole[..], &[vec![0; 9]]].concat())));
}

#[test]
fn a_block_whose_size_is_damaged_does_not_swallow_the_rest() {
    let rest = cluster(&[block(1, b"b")]);
    let broken = [sized(id::SIMPLE_BLOCK, 1 << 24), b"\x81\0\0\0a".to_vec()].concat();
    let packets = measure(&live(&[opus(), endless(id::CLUSTER, &broken), rest])).unwrap().packets;
    assert!(packets.iter().any(|packet| packet.1 == b"b"), "{packets:?}");
}

#[test]
fn what_is_damaged_is_passed_over() {
    let clusters =
        [cluster(&[block(1, b"a"), vec![0, 1, 2], block(1, b"bbbb"), block(1, b"cccc")]), cluster(&[block(1, b"dd")])];
    // Sizes show the end of damaged elements; after that, blocks of a known track are found again.
    assert_eq!(sounds(&file(&[&[opus()], &clusters[..]].concat())), [&b"a"[..], b"bbbb", b"cccc", b"dd"]);
    // Invalid bytes between two clusters belong to neither; invalid bytes in a cluster could be sound.
    let found = measure(&live(&[opus(), clusters[1].clone(), b"\0junk".to_vec(), clusters[1].clone()])).unwrap();
    assert_eq!((found.packets.len(), found.stray), (2, 0));
    let found = measure(&file(&[opus(), cluster(&[block(1, b"a"), b"\x00junk".to_vec(), vec![0; 99]])])).unwrap();
    assert_eq!((found.packets.len(), found.stray), (1, 4));
}

#[test]
fn blocks_of_a_track_that_is_not_described_could_be_sound() {
    let found = measure(&file(&[opus(), cluster(&[block(1, b"a"), block(7, b"bcd")])])).unwrap();
    // The stray bytes are the track number, the flags and the packet.
    assert_eq!((found.packets.len(), found.stray), (1, 5));
}

#[test]
fn stripped_headers_are_put_back() {
    let compression = [element(id::COMPRESSION_ALGORITHM, &[3]), element(id::COMPRESSION_SETTINGS, b"HE")].concat();
    let encodings =
        element(id::CONTENT_ENCODINGS, &element(id::CONTENT_ENCODING, &element(id::COMPRESSION, &compression)));
    let stripped = tracks(&[entry(1, "A_MPEG/L3", &encodings)]);
    assert_eq!(sounds(&file(&[stripped, cluster(&[block(1, b"AD"), block(1, b"")])])), [&b"HEAD"[..], b"HE"]);
    let zlib = tracks(&[entry(1, "A_MPEG/L3", &element(id::CONTENT_ENCODINGS, &element(id::CONTENT_ENCODING, &[])))]);
    let refused = look_by(&file(&[zlib, cluster(&[])]), 1000).err().unwrap().to_string();
    assert!(refused.contains("compresses its packets (zlib)"), "{refused}");
}

#[test]
fn a_codec_that_is_not_known_is_refused_by_name_beside_one_that_is() {
    let described = tracks(&[entry(1, "A_OPUS", &[]), entry(2, "A_NEWEST", &[])]);
    let refused = look_by(&file(&[described, cluster(&[block(1, b"a")])]), 1000).err().unwrap().to_string();
    assert!(refused.contains("A_NEWEST"), "{refused}");
}

#[test]
fn the_first_track_of_a_number_is_the_one_that_plays() {
    let described = tracks(&[entry(1, "A_OPUS", &[]), entry(1, "A_MPEG/L3", &[])]);
    let later = tracks(&[entry(1, "A_VORBIS", &[])]);
    let found = measure(&file(&[described, cluster(&[block(1, b"a")]), later, cluster(&[block(1, b"b")])])).unwrap();
    assert_eq!((found.tracks.len(), found.packets.len()), (1, 2));
}

#[test]
fn tracks_behind_the_sound_are_refused() {
    let refused = look_by(&file(&[cluster(&[block(1, b"a")]), opus()]), 1000).err().unwrap().to_string();
    assert!(refused.contains("describes its tracks after its sound"), "{refused}");
}

#[test]
fn a_seek_head_that_leads_to_tracks_inside_a_packet_is_refused() {
    let seek = |id: u32, at: usize| {
        let position = element(id::SEEK_POSITION, &u32::try_from(at).unwrap().to_be_bytes());
        element(id::SEEK_HEAD, &element(id::SEEK, &[element(id::SEEK_ID, &id_bytes(id)), position].concat()))
    };
    let trap = tracks(&[entry(2, "A_MPEG/L3", &[])]);
    let children = |at| vec![seek(id::CHAPTERS, at), opus(), cluster(&[block(1, &trap), block(2, b"sound")])];
    let whole = children(0).concat();
    let at = memchr::memmem::rfind(&whole, &id_bytes(id::TRACKS)).unwrap();
    assert!(matches!(look_by(&file(&children(at)), 1000), Err(MediaError::Overlapping { .. })));
    assert!(look_by(&file(&children(at + 1)), 1000).is_ok());
    assert!(look_by(&file(&children(1 << 20)), 1000).is_ok());
}

#[test]
fn a_head_without_packets_holds_none() {
    let found = measure(&file(&[opus()])).unwrap();
    assert_eq!((found.tracks.len(), found.packets.len(), found.stray), (1, 0, 0));
    assert!(measure(&header()).unwrap().tracks.is_empty());
}

#[test]
fn private_data_and_rates_reach_the_codec() {
    struct Params(Vec<TrackParams>);
    impl PacketSink for Params {
        fn track(&mut self, _: TrackId, params: &TrackParams) -> Result<(), MediaError> {
            self.0.push(params.clone());
            Ok(())
        }
        fn begin(&mut self, _: TrackId, _: u64, _: Option<Timestamp>) -> Wants {
            Wants::Nothing
        }
        fn bytes(&mut self, _: TrackId, _: &[u8]) {}
        fn unseen(&mut self, _: TrackId, _: u64) {}
        fn end(&mut self, _: TrackId) {}
        fn stray(&mut self, _: u64) {}
        fn link(&mut self) {}
    }
    let audio = [
        element(id::SAMPLING_FREQUENCY, &22_050.0_f32.to_be_bytes()),
        element(id::OUTPUT_SAMPLING_FREQUENCY, &44_100.0_f64.to_be_bytes()),
        element(id::CHANNELS, &[2]),
        element(id::BIT_DEPTH, &[24]),
    ];
    let more = [element(id::AUDIO, &audio.concat()), element(id::CODEC_PRIVATE, b"setup")].concat();
    let wave = [&[7, 0, 2, 0][..], &8000_u32.to_le_bytes(), &[0; 4], &[2, 0, 8, 0]].concat();
    let acm = element(id::CODEC_PRIVATE, &wave);
    let mut params = Params(Vec::new());
    let described = file(&[tracks(&[entry(1, "A_PCM/INT/LIT", &more), entry(2, "A_MS/ACM", &acm)])]);
    let mut demuxer = Matroska::new();
    for window in [&described[..], b""] {
        assert!(demuxer.step(window, true, &mut params).is_ok());
    }
    let [pcm, mulaw] = &params.0[..] else { panic!() };
    assert_eq!((pcm.codec.clone().unwrap().name(), pcm.rate, pcm.channels, pcm.bits), ("pcm_s24le", 44_100, 2, 24));
    assert_eq!(pcm.setup, b"setup");
    assert_eq!(
        (mulaw.codec.clone().unwrap().name(), mulaw.rate, mulaw.channels, mulaw.block_bytes),
        ("pcm_mulaw", 8000, 2, 2)
    );
}
