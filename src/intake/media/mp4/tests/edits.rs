//! Tests of edit lists.

use super::*;

const BEFORE: u32 = u32::MAX;

fn edited(edits: &[u32]) -> Vec<u8> {
    Sound { edits: edits.to_vec(), ..opus_track(100) }.file(&opus(100))
}

#[test]
fn an_edit_list_never_shortens_what_counts() {
    for edits in [&[500, 0][..], &[1, 48000], &[1000, BEFORE, 500, 48000], &[0, 0], &[500, 0, 500, 48000]] {
        assert_eq!(ms(&edited(edits)), 2000, "{edits:?}");
    }
}

#[test]
fn parts_that_are_played_again_count_again() {
    let about = |edits: &[u32], expected: u64| {
        let ms = ms(&edited(edits));
        assert!(ms.abs_diff(expected) <= 20 * u64::try_from(edits.len()).unwrap(), "{edits:?}: {ms}");
    };
    about(&[2000, 0, 2000, 0], 4000);
    about(&[2000, 0, 1000, 48000, 1000, 0, 500, 24000], 4500);
    // Parts in another order, without repeats, are no longer than the whole.
    about(&[1000, 48000, 1000, 0], 2000);
    // In ffmpeg, an empty edit between others plays the beginning.
    about(&[1500, 0, 1000, BEFORE, 500, 72000], 3000);
    about(&[500, BEFORE, 2000, 0], 2000);
}

#[test]
fn a_track_may_say_that_all_its_packets_are_at_one_time() {
    let track = Sound { edits: [1, 0].repeat(20), ..opus_track(100) }.times(&[100, 0]);
    assert_eq!(ms(&track.file(&opus(100))), 40_000);
}

#[test]
fn pcm_that_is_played_again_counts_again() {
    let track = Sound { edits: [1000, 0].repeat(3), ..Sound::new(b"sowt") }.alike(2, 8000).times(&[8000, 1]);
    assert_eq!(ms(&track.file(&[0; 16000])), 3000);
}

#[test]
fn a_list_that_plays_parts_again_and_again_is_refused() {
    assert_eq!(error(&edited(&[2000, 0].repeat(40))), "the mp4 file is malformed: its packets overlap");
    // A list that goes through the track once is accepted.
    let once: Vec<u32> = (0..2000).flat_map(|edit| [1, edit * 48]).collect();
    assert_eq!(ms(&edited(&once)), 2000);
}
