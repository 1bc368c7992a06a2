//! Tests of files that hide their length, and of files without sound.

use super::*;

/// Returns the error for a file whose track is `sound`.
fn message(sound: &Sound) -> String {
    error(&sound.file(&opus(50)))
}

#[test]
fn a_codec_that_cannot_be_counted_is_named_also_beside_one_that_can() {
    let unknown = Sound::new(b"abcd").packets(&[3]);
    let beside = file(&[opus_track(50).track(), unknown.track()].concat(), &opus(50));
    assert!(error(&beside).contains("encoded as abcd"), "{}", error(&beside));
    for (setup, name) in [([0xf8, 0x08], "mp3on4"), ([0xf8, 0x80], "mp4als")] {
        let track = Sound { extra: esds(0x40, &setup), ..Sound::new(b"mp4a") }.packets(&[3]);
        assert!(message(&track).contains(name), "{}", message(&track));
    }
    // Tracks that are not audio are not refused.
    let text = Sound { handler: *b"text", ..Sound::new(b"text") }.packets(&[3]);
    assert_eq!(ms(&file(&[text.track(), opus_track(50).track()].concat(), &opus(50))), 1000);
}

#[test]
fn sound_counts_whatever_its_tracks_handler_says() {
    let track = Sound { handler: *b"text", ..opus_track(50) };
    assert_eq!(ms(&track.file(&opus(50))), 1000);
    // Players take a picture track for audio if its stream is declared as MP3.
    let extra = [&[0; 50][..], &esds(0x6b, &[])].concat();
    let track = Sound { handler: *b"vide", extra, ..Sound::new(b"mp4v") }.packets(&[36]);
    assert!(message(&track).contains("sound in a picture's track"), "{}", message(&track));
}

#[test]
fn what_is_encrypted_compressed_or_elsewhere_is_refused() {
    let sealed = Sound { extra: boxed(b"sinf", boxed(b"frma", b"mp4a")), ..opus_track(50) };
    assert!(message(&sealed).contains("is encrypted"));
    assert!(message(&Sound { code: *b"enca", ..opus_track(50) }).contains("is encrypted"));
    let packed = [ftyp(), boxed(b"moov", boxed(b"cmov", [0; 20]))].concat();
    assert!(error(&packed).contains("compresses its index (cmov)"));
    let alias = boxed(b"dref", [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed(b"alis", [0; 200])].concat());
    assert!(message(&Sound { more: alias, ..opus_track(50) }).contains("in another file"));
}

#[test]
fn what_players_read_in_two_ways_is_refused() {
    let track = opus_track(50);
    for (more, what) in [
        (table(b"stsz", &[1, 50]), "has two of a track's tables"),
        (table(b"stco", &[1, 77]), "has two of a track's tables"),
        (track.description(), "has two of a track's tables"),
        (esds(0x40, &[0x14, 0x08]), "outside of its sample description"),
        (boxed(b"stco", []), "too short"),
        (boxed(b"tkhd", [0; 8]), "too short"),
    ] {
        let message = message(&Sound { more, ..track.clone() });
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn a_track_that_changes_its_sound_midway_is_refused() {
    let track = opus_track(50);
    let entry = |sound: &Sound| sound.description()[16..].to_vec();
    let two = |other: &Sound| Sound { descriptions: [entry(&track), entry(other)].concat(), ..track.clone() };
    assert_eq!(ms(&two(&track).file(&opus(50))), 1000);
    let message = message(&two(&Sound { rate: 8000, ..track.clone() }));
    assert!(message.contains("changes how its sound is encoded within a track"), "{message}");
}

#[test]
fn a_file_without_sound_says_so() {
    assert_eq!(error(&file(&[], &[])), "the mp4 file has no audio track");
    let picture = Sound { handler: *b"vide", ..Sound::new(b"avc1") }.packets(&[3]);
    assert_eq!(message(&picture), "the mp4 file has no audio track");
    assert_eq!(error(&Sound { times: Vec::new(), ..Sound::new(b"Opus") }.file(&[])), "the mp4 file holds no sound");
}

#[test]
fn boxes_that_are_nested_without_end_are_refused() {
    let mut deep = opus_track(50).track();
    for _ in 0..2000 {
        deep = boxed(b"udta", deep);
    }
    assert!(error(&file(&deep, &opus(50))).contains("nests its boxes too deeply"));
}
