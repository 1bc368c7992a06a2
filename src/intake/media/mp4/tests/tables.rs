//! Tests of samples in a movie's tables.

use super::*;

#[test]
fn each_packet_of_a_track_counts_by_its_own_bytes() {
    let track = opus_track(50);
    assert_eq!(ms(&track.file(&opus(50))), 1000);
    // The container's clock does not matter.
    assert_eq!(ms(&track.times(&[1, 2]).file(&opus(50))), 1000);
}

#[test]
fn the_longest_track_counts_and_every_track_is_looked_at() {
    let short = opus_track(5);
    let media = opus(50);
    assert_eq!(ms(&file(&[short.track(), opus_track(50).track(), short.track()].concat(), &media)), 1000);
}

#[test]
fn all_frames_of_an_mp3_in_one_sample_play() {
    let media = mp3(100);
    let track = Sound { rate: 16000, ..Sound::new(b".mp3") }.packets(&[media.len()]);
    assert_eq!(ms(&track.file(&media)), 3600);
    // Samples may be fragments of frames, which players join again.
    let track = Sound { rate: 16000, ..Sound::new(b".mp3") }.packets(&vec![6; media.len() / 6]);
    assert_eq!(ms(&track.file(&media)), 3600);
}

#[test]
fn mp3_under_the_name_of_aac_is_known_by_its_object_type() {
    let media = mp3(100);
    let track = Sound { rate: 16000, extra: esds(0x6b, &[]), ..Sound::new(b"mp4a") }.packets(&[media.len()]);
    assert_eq!(ms(&track.file(&media)), 3600);
}

#[test]
fn pcm_counts_by_bytes_however_its_samples_are_stated() {
    let second = vec![1; 16000];
    // A sample per frame, as QuickTime writes; samples of one byte, as old QuickTime wrote; and packets.
    for (size, count, times) in [(2, 8000, [8000, 1]), (1, 8000, [8000, 1]), (1, 8000, [8000, 2]), (500, 32, [32, 250])]
    {
        assert_eq!(ms(&Sound::new(b"sowt").alike(size, count).times(&times).file(&second)), 1000, "{size}");
    }
    for (code, bits, expected) in [(b"raw ", 8, 2000), (b"ulaw", 16, 2000), (b"in24", 16, 667), (b"twos", 32, 500)] {
        let track = Sound { bits, ..Sound::new(code) }.packets(&[16000]);
        assert_eq!(ms(&track.file(&second)), expected, "{code:?}");
    }
}

#[test]
fn four_billion_samples_cost_no_more_than_the_bytes_that_are_there() {
    let track = Sound::new(b"sowt").alike(2, u32::MAX).times(&[u32::MAX, 2]);
    // The samples extend over the index, which follows the sound.
    let ms = ms(&Sound { chunks: vec![1, 0x7fff_ffff, 1], ..track }.file(&[0; 16000]));
    assert!((1000..1100).contains(&ms), "{ms}");
}

#[test]
fn ima4_counts_by_its_frames_beside_a_track_that_is_shorter() {
    let media = [0x12; 34].repeat(1000);
    let track = Sound { rate: 44100, ..Sound::new(b"ima4") }.alike(34, 64000).times(&[64000, 1]);
    assert_eq!(ms(&file(&[opus_track(1).track(), track.track()].concat(), &media)), 1452);
}

#[test]
fn a_recording_that_is_cut_off_counts_as_far_as_it_goes() {
    // The index precedes the sound.
    let track = Sound { offsets: vec![1000], ..opus_track(100) };
    let head = [ftyp(), movie(&track.track())].concat();
    let whole = [&head[..], &boxed(b"free", vec![0; 984 - head.len()]), &boxed(b"mdat", opus(100))].concat();
    assert_eq!(ms(&whole), 2000);
    assert_eq!(ms(&whole[..1000 + 150]), 1000);
    assert_eq!(error(&whole[..head.len() - 30]), "the mp4 file was not finished: its index (moov) is cut off");
    assert_eq!(
        error(&[ftyp(), boxed(b"mdat", opus(100))].concat()),
        "the mp4 file was not finished: its index (moov) is missing"
    );
}

#[test]
fn sizes_of_four_bits_are_read() {
    let track = opus_track(5).track();
    let stsz = table(b"stsz", &[0, 5, 3, 3, 3, 3, 3]);
    let stz2 = boxed(b"stz2", [&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5][..], &[0x33, 0x33, 0x30], &[0; 9]].concat());
    let at = memchr::memmem::find(&track, &stsz).unwrap();
    let track = [&track[..at], &stz2, &track[at + stsz.len()..]].concat();
    assert_eq!(ms(&file(&track, &opus(5))), 100);
}

#[test]
fn chunks_of_different_numbers_of_samples_are_told_apart() {
    let at = media_at();
    let track = Sound { chunks: vec![1, 2, 1, 3, 1, 1], offsets: vec![at, at + 6, at + 12], ..opus_track(5) };
    assert_eq!(ms(&track.file(&opus(5))), 100);
    // Empty entries at the end are ignored.
    let track = Sound { chunks: vec![1, 2, 1, 3, 1, 1, 4, 0, 1], ..track };
    assert_eq!(ms(&track.file(&opus(5))), 100);
    let track = Sound { chunks: vec![1, 2, 1, 1, 1, 1], ..track };
    assert_eq!(
        error(&track.file(&opus(5))),
        "the mp4 file has an index that says in two ways where samples are (stsc), which is not supported"
    );
}

#[test]
fn samples_that_play_the_same_bytes_without_end_are_refused() {
    let at = media_at();
    // Some repetition is allowed.
    let track = Sound { chunks: vec![1, 10, 1], offsets: vec![at; 4], ..opus_track(40) };
    assert_eq!(ms(&track.file(&opus(10))), 800);
    let track = Sound { chunks: vec![1, 100, 1], offsets: vec![at; 100], sizes: vec![3, 10_000], ..track };
    assert_eq!(error(&track.file(&opus(10))), "the mp4 file is malformed: its packets overlap");
}

#[test]
fn an_index_may_stand_anywhere_and_the_first_counts() {
    let media = boxed(b"mdat", opus(50));
    let (long, short) = (movie(&opus_track(50).track()), movie(&opus_track(1).track()));
    let tags = boxed(b"meta", [&[0; 4][..], &boxed(b"hdlr", [0; 24]), &long].concat());
    for first in [boxed(b"udta", &long), tags, boxed(b"moof", &long)] {
        assert_eq!(ms(&[ftyp(), media.clone(), first, short.clone()].concat()), 1000);
    }
    assert_eq!(ms(&[ftyp(), media.clone(), short.clone(), long.clone()].concat()), 20);
    // Bytes after the index, junk or another file, do not play.
    assert_eq!(ms(&[ftyp(), media.clone(), short.clone(), vec![0; 1000]].concat()), 20);
    // Without another index, an index marked as free counts.
    let freed = [&long[..4], b"free", &long[8..]].concat();
    assert_eq!(ms(&[ftyp(), media.clone(), freed.clone()].concat()), 1000);
    assert_eq!(ms(&[ftyp(), media, freed, short].concat()), 20);
}

#[test]
fn sizes_of_boxes_may_be_long_or_open() {
    let media = opus(50);
    let movie = movie(&opus_track(50).track());
    let long = |kind: &[u8; 4], content: &[u8]| [&n(1), kind, &[0; 4][..], &n(content.len() + 16), content].concat();
    let track = Sound { offsets: vec![media_at() + 8], ..opus_track(50) };
    assert_eq!(ms(&[ftyp(), long(b"mdat", &media), self::movie(&track.track())].concat()), 1000);
    let open = [&n(0)[..], b"moov", &movie[8..]].concat();
    assert_eq!(ms(&[ftyp(), boxed(b"mdat", &media), open].concat()), 1000);
}

#[test]
fn tags_and_covers_are_passed_over_unread() {
    let cover = boxed(b"covr", boxed(b"data", vec![7; 4_000_000]));
    let tags = boxed(b"meta", [&[0; 4][..], &boxed(b"hdlr", [0; 24]), &boxed(b"ilst", cover)].concat());
    let track = [opus_track(50).track(), boxed(b"udta", tags)].concat();
    let (length, read) = measure_file(&file(&track, &opus(50))).unwrap();
    assert_eq!(length.upper_bound().get(), 1000);
    assert!(read < 400_000, "{read} bytes were read");
}

#[test]
fn a_table_of_times_of_nothing_costs_nothing() {
    let track = opus_track(50).times(&[0, 0].repeat(16_000));
    let (length, read) = measure_file(&track.file(&opus(50))).unwrap();
    assert_eq!(length.upper_bound().get(), 1000);
    assert!(read < 400_000, "{read} bytes were read");
}
