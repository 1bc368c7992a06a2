use std::io::Cursor;

use super::*;

fn taken_for(container: Container, start: u64, bytes: &[u8]) -> Option<&'static str> {
    other_format(&mut Cursor::new(bytes), (container, start), MAX_PROBED).unwrap()
}

/// Returns filler bytes with `times` copies of `mark` at offset `at`.
fn file(at: usize, mark: &[u8], times: usize) -> Vec<u8> {
    [vec![0x33; at], mark.repeat(times), vec![0x33; 300_000 - at]].concat()
}

#[test]
fn marks_are_found_wherever_they_are() {
    for (marks, container) in [(ANYWHERE, Container::Wav), (BESIDE_FRAMES, Container::Mp3)] {
        for (mark, enough, name) in marks {
            for at in [0, 1, 63 * 1024, 64 * 1024 - 3, 64 * 1024, 200_000] {
                assert_eq!(taken_for(container, 0, &file(at, mark, *enough)), Some(*name), "{name} at {at}");
                assert_eq!(taken_for(container, 0, &file(at, mark, *enough - 1)), None, "{name} at {at}");
            }
        }
    }
}

#[test]
fn marks_in_their_places_are_found_there() {
    for (at, mark, name) in AT {
        assert_eq!(taken_for(Container::Wav, 0, &file(*at, mark, 1)), Some(*name));
        assert_eq!(taken_for(Container::Wav, 0, &file(*at + 1, mark, 1)), None);
    }
    for code in [b"M.K.", b"6CHN", b"32CH", b"FLT8"] {
        assert_eq!(taken_for(Container::Mp3, 0, &file(1_080, code, 1)), Some(MODULE));
    }
    assert_eq!(taken_for(Container::Mp3, 0, &file(1_080, b"xCHN", 1)), None);
    let mut act = vec![0; 600];
    assert_eq!(taken_for(Container::Wav, 0, &act), None);
    act[256] = 0x84;
    assert_eq!(taken_for(Container::Wav, 0, &act), Some("an ACT recording (G.729)"));
}

#[test]
fn packets_of_a_transport_stream_are_found_behind_a_tag_and_among_frames() {
    for size in [188, 192, 204] {
        let mut packet = vec![0x33; size];
        packet[..4].copy_from_slice(&[0x47, 0x40, 0, 0x10]);
        let stream = file(70_000, &packet, 12);
        assert_eq!(taken_for(Container::Mp3, 0, &stream), Some("an MPEG transport stream"));
        assert_eq!(taken_for(Container::Wav, 10, &stream), Some("an MPEG transport stream"));
        assert_eq!(taken_for(Container::Wav, 0, &stream), None);
        assert_eq!(taken_for(Container::Mp3, 0, &file(70_000, &packet, 6)), None);
    }
    assert_eq!(taken_for(Container::Mp3, 0, &[0x47; 9_999]), None);
}

#[test]
fn an_mp4_is_known_by_the_boxes_in_its_first_kilobytes() {
    let begins = |codes: &[(&[u8; 4], u32)]| {
        let boxes = codes.iter().map(|(code, size)| {
            [&size.to_be_bytes()[..], *code, &vec![0; (*size as usize).saturating_sub(8)]].concat()
        });
        is_surely_mp4(&mut Cursor::new(boxes.collect::<Vec<_>>().concat())).unwrap()
    };
    assert!(
        begins(&[(b"ftyp", 24)]) && begins(&[(b"skip", 900), (b"free", 8)]) && begins(&[(b"abcd", 99), (b"moov", 99)])
    );
    assert!(!begins(&[(b"skip", 9_000), (b"moov", 99)]) && !begins(&[(b"ftyp", 2)]) && !begins(&[(b"uuid", 99)]));
}

#[test]
fn boxes_lead_to_an_mp4() {
    let stuffed = |code: &[u8; 4], size: u32| [&size.to_be_bytes()[..], code, &vec![0x33; size as usize - 8]].concat();
    for code in [b"uuid", b"junk", b"moov", b"ftyp"] {
        for before in [vec![], stuffed(b"abcd", 255), stuffed(b"\xff\xfb\x90\x00", 700), vec![0, 0, 0, 3]] {
            let bytes = [before, stuffed(code, 100)].concat();
            assert!(taken_for(Container::Mp3, 0, &bytes).is_some(), "{code:?}");
            assert_eq!(taken_for(Container::Flac, 0, &bytes), None);
        }
    }
    assert_eq!(taken_for(Container::Mp3, 0, &stuffed(b"abcd", 255)), None);
    assert!(taken_for(Container::Mp3, 0, &[0, 0, 0, 2].repeat(9_999)).is_some());
}
