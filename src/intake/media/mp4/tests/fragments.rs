//! Tests of fragments.

use super::super::super::demux::{Demuxer, PacketSink, Step};
use super::super::walk::Mp4;
use super::*;
use crate::domain::AudioMs;

const MOOF_BASE: u32 = 0x2_0000;
const OFFSET: u32 = 0x1;
const SIZES: u32 = 0x200;

/// Returns an index without samples that permits fragments.
fn head() -> Vec<u8> {
    let track = Sound { rate: 48000, times: Vec::new(), ..Sound::new(b"Opus") }.track();
    let may = boxed(b"mvex", table(b"trex", &[1, 1, 960, 3, 0]));
    [ftyp(), movie(&[track, may].concat())].concat()
}

fn moof(content: &[Vec<u8>]) -> Vec<u8> {
    boxed(b"moof", [table(b"mfhd", &[1]), boxed(b"traf", content.concat())].concat())
}

/// Returns a fragment of `packets` packets of 20 ms each.
pub(super) fn fragment(packets: usize) -> Vec<u8> {
    let count = u32::try_from(packets).unwrap();
    let run = |offset| {
        let sizes = vec![3; packets];
        full(b"trun", OFFSET | SIZES, &[&[count, offset], &sizes[..]].concat())
    };
    let moof = |offset| moof(&[full(b"tfhd", MOOF_BASE, &[1]), run(offset)]);
    let size = u32::try_from(moof(0).len()).unwrap();
    [moof(size + 8), boxed(b"mdat", opus(packets))].concat()
}

#[test]
fn fragments_count_and_so_does_a_part_of_one() {
    let file = [head(), fragment(50), fragment(25)].concat();
    assert_eq!(ms(&file), 1500);
    assert_eq!(ms(&file[..file.len() - 30]), 1300);
    assert_eq!(error(&head()), "the mp4 file holds no sound");
}

#[test]
fn fragments_and_tables_are_played_both() {
    let may = boxed(b"mvex", table(b"trex", &[1, 1, 960, 3, 0]));
    let track = opus_track(10).track();
    let file = [ftyp(), boxed(b"mdat", opus(10)), movie(&[track, may].concat()), fragment(5)].concat();
    assert_eq!(ms(&file), 300);
}

#[test]
fn what_an_index_at_the_end_says_hides_nothing() {
    let hidden = [fragment(50), fragment(50)].concat();
    let claim = boxed(b"mfro", [&[0; 4][..], &n(hidden.len() + 16)].concat());
    assert_eq!(ms(&[head(), fragment(10), hidden, claim].concat()), 2200);
    // A second index of the movie does not count.
    let late = movie(&Sound { offsets: vec![200], ..opus_track(50) }.track());
    assert_eq!(ms(&[head(), fragment(10), late].concat()), 200);
}

#[test]
fn samples_of_one_size_need_no_list() {
    let moof = |offset| moof(&[full(b"tfhd", MOOF_BASE, &[1]), full(b"trun", OFFSET, &[50, offset])]);
    let size = u32::try_from(moof(0).len()).unwrap();
    assert_eq!(ms(&[head(), moof(size + 8), boxed(b"mdat", opus(50))].concat()), 1000);
    let moof = self::moof(&[full(b"tfhd", MOOF_BASE, &[1]), full(b"trun", OFFSET, &[u32::MAX, size + 8])]);
    assert_eq!(ms(&[head(), moof, boxed(b"mdat", opus(50))].concat()), 1000);
}

#[test]
fn samples_that_came_before_their_list_are_looked_for() {
    // Two joined files, each with offsets from its own beginning.
    let file = [head(), fragment(50)].concat();
    let at = u32::try_from(file.len() - 150).unwrap();
    let again = moof(&[full(b"tfhd", 0x1, &[1, 0, at]), full(b"trun", SIZES, &[&[50][..], &[3; 50]].concat())]);
    assert_eq!(ms(&[file, again].concat()), 2000);
}

#[test]
fn an_index_that_leads_into_other_boxes_is_refused() {
    let start = [head(), fragment(10)].concat();
    let hidden = fragment(50);
    let at = |offset: usize| u32::try_from(offset).unwrap();
    let index = |places: &[u32]| {
        let count = at(places.len());
        let entries: Vec<u32> = places.iter().flat_map(|place| [0, *place]).collect();
        // Three bytes follow each entry; with four entries, the numbers stay aligned.
        let content = table(b"tfra", &[&[1, 0x3f, count][..], &entries].concat());
        let size = content.len() + 8 + 16;
        boxed(b"mfra", [content, boxed(b"mfro", [&[0; 4][..], &n(size)].concat())].concat())
    };
    let whole = |places: &[u32]| [start.clone(), boxed(b"free", &hidden), index(places)].concat();
    assert_eq!(ms(&whole(&[at(head().len())])), 200);
    assert_eq!(
        error(&whole(&[at(start.len() + 8)])),
        "the mp4 file has an index that points to fragments within other boxes, which is not supported"
    );
    // After an insertion before the fragments, an index points to arbitrary bytes or beyond the end.
    assert_eq!(ms(&whole(&[at(start.len() + 12)])), 200);
}

#[test]
fn lists_that_reach_beyond_their_box_are_refused() {
    let message = "the mp4 file has a box that is too short for what it holds, which is not supported";
    let moof = moof(&[full(b"tfhd", MOOF_BASE, &[1]), full(b"trun", SIZES, &[50, 3])]);
    assert_eq!(error(&[head(), moof].concat()), message);
    let moof = self::moof(&[full(b"tfhd", MOOF_BASE | 0x10, &[1]), full(b"trun", SIZES, &[1, 3])]);
    assert_eq!(error(&[head(), moof].concat()), message);
}

#[test]
fn windows_of_any_size_show_the_same() {
    let file = [head(), fragment(50), boxed(b"free", [9; 500]), fragment(25)].concat();
    for size in [1, 7, 64, 100, 1000] {
        let mut tally = Tally::new(Container::Mp4);
        feed(&file, size, &mut tally);
        let (_, length) = tally.conclude().unwrap();
        assert_eq!(length.measured().map(AudioMs::get), Some(1500), "{size}");
    }
}

/// Shows a demuxer windows of `size` bytes, or of the size that it needs.
fn feed(mut file: &[u8], size: usize, sink: &mut dyn PacketSink) {
    let mut walk = Mp4::default();
    let mut shown = size;
    loop {
        let window = &file[..shown.min(file.len())];
        match walk.step(window, window.len() == file.len(), sink).unwrap() {
            Step::Advance(count) => {
                file = &file[usize::try_from(count).unwrap_or(usize::MAX).min(file.len())..];
                shown = size;
            }
            Step::Need(count) => {
                assert!(count > window.len(), "{count} are there");
                shown = count;
            }
            Step::End => return,
        }
    }
}

#[test]
fn a_file_with_fragments_is_told_from_one_without() {
    let is_fragmented = |file: Vec<u8>| {
        let bytes = u64::try_from(file.len()).unwrap();
        let mut tally = Tally::new(Container::Mp4);
        measure(&mut Cursor::new(file), bytes, &mut tally, &mut Budget::for_bytes(bytes)).unwrap().is_fragmented
    };
    assert!(is_fragmented([head(), fragment(2)].concat()));
    let may = boxed(b"mvex", table(b"trex", &[1, 1, 960, 3, 0]));
    let movie = movie(&[opus_track(10).track(), may].concat());
    let file = [ftyp(), boxed(b"mdat", opus(10)), movie].concat();
    assert!(!is_fragmented(file.clone()), "it may have fragments, and has none");
    assert!(is_fragmented([file, fragment(1)].concat()));
}
