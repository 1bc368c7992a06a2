//! Tests of this module's promises on real files, made by `tests/media/make.sh`.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn measure(bytes: &[u8]) -> Result<MediaInfo, MediaError> {
    inspect(Cursor::new(bytes.to_vec()), u64::try_from(bytes.len()).unwrap())
}

fn length(bytes: &[u8]) -> Length {
    measure(bytes).unwrap().length
}

fn measured(bytes: &[u8]) -> u64 {
    length(bytes).measured().unwrap_or_else(|| panic!("not measured: {:?}", length(bytes))).get()
}

/// Asserts that `got` is at most 1 % or 0.1 s shorter and at most 2 % or 0.3 s longer than `truth`. The padding of encoders
/// counts, since a file could state any amount of it.
fn assert_close(name: &str, got: u64, truth: u64) {
    assert!(got + (truth / 100).max(100) >= truth, "{name}: measured {got} ms, is {truth} ms");
    assert!(got <= truth + (truth / 50).max(300), "{name}: measured {got} ms, is {truth} ms");
}

fn lengths() -> Vec<(String, String, String, u64)> {
    let table = std::fs::read_to_string(folder().join("lengths.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    rows.map(|row| (row[0].clone(), row[1].clone(), row[2].clone(), row[3].parse().unwrap())).collect()
}

fn truth(name: &str) -> u64 {
    lengths().into_iter().find(|row| row.0 == name).unwrap().3
}

#[test]
fn every_container_is_recognised_and_measured() {
    for (name, container, codec, ms) in lengths() {
        let info = measure(&file(&name)).unwrap();
        assert_eq!((info.container.name(), info.codec.map(Codec::name)), (&*container, Some(&*codec)), "{name}");
        assert_close(&name, info.length.measured().unwrap_or_else(|| panic!("{name}: {info:?}")).get(), ms);
    }
}

#[test]
fn a_small_wav_is_measured_at_once_as_it_would_be_otherwise() {
    let at_once = |bytes: &[u8]| inspect_at_once(Cursor::new(bytes.to_vec()), u64::try_from(bytes.len()).unwrap());
    let wav = file("sample.wav");
    let data = memchr::memmem::find(&wav, b"data").unwrap() + 8;
    let small = &wav[..60_000];
    assert_eq!(at_once(small), Some(measure(small).unwrap()));
    // Cut anywhere, with another chunk behind the sound, without any sound.
    for bytes in [&wav[..data + 999], &[small, b"LIST\x02\0\0\0ab"].concat(), &wav[..data], &wav[..data - 9], &wav[..9]]
    {
        assert!(at_once(bytes).is_none_or(|info| info == measure(bytes).unwrap()));
    }
    // Too large, compressed, or of another container.
    let frames = [&wav[..data], &[&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat().repeat(99)].concat();
    assert!(measure(&frames).is_ok() && at_once(&frames).is_none());
    // Sound that a closer look finds to be plain after all: the closer look takes long, so it is not taken at once.
    let false_starts = [&wav[..data], &[0x0b, 0x77, 0x1f, 0xff].repeat(9_000), &[0x7f, 0x00].repeat(9_000)].concat();
    assert!(measure(&false_starts).is_ok() && at_once(&false_starts).is_none());
    for name in ["sample.wav", "mulaw.wav", "opus.webm", "cbr.mp3", "aac.m4a"] {
        assert!(at_once(&file(name)).is_none(), "{name}");
    }
    assert_eq!(at_once(b""), None);
}

#[test]
fn what_is_not_taken_is_named() {
    for (bytes, said) in [
        (&b"These are only words, renamed speech.mp3."[..], "plain text"),
        (b"{\"audio\": \"UklGRg==\"}", "JSON text"),
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (b"#!AMR\n\x3c", "AMR audio"),
        (b"FORM\0\0\0\x048SVX", "an IFF file other than AIFF"),
        (b"MThd\0\0\0\x06", "MIDI"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\xff\xf1\x50\x80\x02\x1f\xfc", "raw AAC"),
        (b"RIFF\0\0\0\0AVI LIST", "RIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image"),
        (b"\0\0\0\x10moof\0\0\0\0", "without its beginning"),
        (b"\x1f\x43\xb6\x75\x01\xff\xff\xff", "without its beginning"),
    ] {
        let err = measure(bytes).unwrap_err().to_string();
        assert!(err.contains(said), "{err}");
        assert!(err.contains("flac"), "says what is taken: {err}");
    }
}

#[test]
fn noise_and_nothing_are_refused() {
    assert!(matches!(measure(b""), Err(MediaError::Empty)));
    let noise: Vec<u8> = (0_u32..5000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    assert!(matches!(measure(&noise), Err(MediaError::NotAudio { bytes: 5000 })));
    assert!(matches!(measure(b"ID3\x03\0\0\0\0\0\x04\0\0\0\0 and then words"), Err(MediaError::Unsupported { .. })));
}

#[test]
fn a_video_without_sound_has_no_audio_track() {
    assert!(matches!(measure(&file("video-only.mp4")), Err(MediaError::NoAudioTrack { container: Container::Mp4 })));
    assert!(matches!(measure(&file("pcm16.wav")[..40]), Err(MediaError::NoAudioTrack { container: Container::Wav })));
}

#[test]
fn tags_around_the_audio_are_passed_over() {
    // A tag of 40 000 bytes full of apparent sync words.
    let mut tag = b"ID3\x03\0\0\0\x02\x38\x40".to_vec();
    tag.resize(10 + 40_000, 0xff);
    let mut ape = vec![b' '; 9000];
    for at in [0, 9000 - 32] {
        ape[at..at + 8].copy_from_slice(b"APETAGEX");
        ape[at + 8..at + 16].copy_from_slice(&[0xd0, 7, 0, 0, 0x08, 0x23, 0, 0]);
        ape[at + 20..at + 24].copy_from_slice(&0x8000_0000_u32.to_le_bytes());
    }
    for name in ["cbr.mp3", "speech.flac"] {
        let bytes = [&tag[..], &file(name), &ape, b"TAG", &[0; 125]].concat();
        assert_close(name, measured(&bytes), truth(name));
    }
}

#[test]
fn a_wav_that_understates_its_data_is_charged_for_what_is_there() {
    for stated in [0, 16, u32::MAX] {
        let mut bytes = file("pcm16.wav");
        let at = memchr::memmem::find(&bytes, b"data").unwrap() + 4;
        bytes[at..at + 4].copy_from_slice(&stated.to_le_bytes());
        assert_close("pcm16.wav", measured(&bytes), truth("pcm16.wav"));
    }
}

#[test]
fn a_second_data_chunk_counts_and_other_chunks_do_not() {
    let wav = file("pcm16.wav");
    let sound = [b"data", &16_000_u32.to_le_bytes()[..], &[1; 16_000]].concat();
    let list = [b"LIST", &16_000_u32.to_le_bytes()[..], &[b'x'; 16_000]].concat();
    assert_close("twice", measured(&[&wav[..], &list, &sound, &list].concat()), truth("pcm16.wav") + 1000);
}

#[test]
fn lengths_stated_in_headers_are_not_believed() {
    // The last 32 of the 36 bits of the number of samples in FLAC's stream information.
    let mut flac = file("speech.flac");
    flac[22..26].copy_from_slice(&1_u32.to_be_bytes());
    assert_close("flac", measured(&flac), truth("speech.flac"));
    // The number of frames in the Xing tag.
    let mut mp3 = file("vbr.mp3");
    let at = memchr::memmem::find(&mp3, b"Xing").unwrap() + 8;
    mp3[at..at + 4].copy_from_slice(&1_u32.to_be_bytes());
    assert_close("mp3", measured(&mp3), truth("vbr.mp3"));
    // The duration in Matroska's segment information: a float after the id 0x4489.
    let mut webm = file("opus.webm");
    let at = memchr::memmem::find(&webm, b"\x44\x89\x88").unwrap() + 3;
    for ms in [1.0_f64, 1e9] {
        webm[at..at + 8].copy_from_slice(&ms.to_be_bytes());
        assert_close("webm", measured(&webm), truth("opus.webm"));
    }
    // The durations of the movie and of the media, and the stated duration of each sample.
    let mut mp4 = file("aac.m4a");
    for (atom, offset) in [(b"mvhd", 20), (b"mdhd", 20), (b"stts", 16)] {
        let at = memchr::memmem::find(&mp4, atom).unwrap() + offset;
        mp4[at..at + 4].copy_from_slice(&1_u32.to_be_bytes());
    }
    assert_close("mp4", measured(&mp4), truth("aac.m4a"));
}

#[test]
fn frames_that_change_their_rate_count_at_their_own() {
    // Telephone frames of 72 ms after two frames of 24 ms: a demuxer that trusts the first frame counts 24 ms for each.
    let mut bytes = Vec::new();
    for (head, size, count) in [([0xff, 0xfb, 0x14, 0xc0], 96, 2), ([0xff, 0xe3, 0x18, 0xc0], 72, 100)] {
        for _ in 0..count {
            bytes.extend(head);
            bytes.resize(bytes.len() + size - 4, 0);
        }
    }
    assert_close("changing", measured(&bytes), 2 * 24 + 100 * 72);
}

#[test]
fn what_is_cut_off_is_measured_up_to_the_cut() {
    for name in ["pcm16.wav", "cbr.mp3", "speech.flac", "opus.webm", "live.webm", "recorder.webm", "fragmented.mp4"] {
        let bytes = file(name);
        let half = length(&bytes[..bytes.len() / 2]).upper_bound().get();
        let whole = truth(name);
        assert!((whole / 5..=whole * 4 / 5).contains(&half), "{name}: {half} ms of {whole}");
    }
}

#[test]
fn damage_in_the_middle_does_not_make_the_rest_free() {
    for (name, container, ..) in lengths().into_iter().filter(|row| row.1 != "wav") {
        let mut bytes = file(&name);
        let (third, two_thirds) = (bytes.len() / 3, bytes.len() * 2 / 3);
        bytes[third..two_thirds].fill(0x55);
        // A damaged file that can be read in two ways is refused.
        let Ok(info) = measure(&bytes) else { continue };
        let charged = info.length.upper_bound().get();
        // Players skip a damaged FLAC block or Ogg page, and this file has three of them.
        let tenths = match &*container {
            "flac" => 5,
            "ogg" => 1,
            _ => 6,
        };
        let min = truth(&name) * tenths / 10;
        assert!(charged >= min, "{name} ({container}): {charged} ms charged of {}", truth(&name));
    }
}

#[test]
fn a_head_without_sound_is_refused_and_says_so() {
    for (name, said) in [
        ("opus.webm", "no audio track"),
        ("aac.m4a", "was not finished: its index (moov)"),
        ("opus.ogg", "no audio track"),
        ("speech.flac", "was not finished: its stream information"),
        ("pcm16.wav", "no audio track"),
    ] {
        let error = measure(&file(name)[..30]).unwrap_err().to_string();
        assert!(error.contains(said), "{name}: {error}");
    }
    // The header of the file is whole, and nothing follows it.
    let webm = file("opus.webm");
    let cluster = memchr::memmem::find(&webm, b"\x1f\x43\xb6\x75").unwrap();
    let error = measure(&webm[..cluster]).unwrap_err();
    assert!(matches!(error, MediaError::NoSound { container: Container::Webm }), "{error}");
}

#[test]
fn a_chained_ogg_is_the_sum_of_its_links() {
    let bytes = [file("opus.ogg"), file("vorbis.ogg")].concat();
    assert_close("chained", measured(&bytes), truth("opus.ogg") + truth("vorbis.ogg"));
}

fn fixtures() -> Vec<Vec<u8>> {
    let names = lengths().into_iter().map(|row| row.0).chain(["video-only.mp4".to_owned()]);
    names.map(|name| file(&name)).collect()
}

proptest! {
    #![proptest_config(crate::properties::cases(600))]

    #[test]
    fn hostile_files_come_to_an_end(
        which in any::<prop::sample::Index>(),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<[u8; 4]>()), 0..12),
    ) {
        let all = fixtures();
        let mut bytes = which.get(&all).clone();
        for (place, early, with) in edits {
            // Half of the edits hit the headers, where they do the most harm.
            let span = if early { bytes.len().min(400) } else { bytes.len() };
            let at = place.index(span);
            for (to, from) in bytes[at..].iter_mut().zip(with) {
                *to = from;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = measure(&bytes);
    }
}

/// Returns the claim of the first 16 KiB of a recording.
fn claimed(bytes: &[u8]) -> Option<Claim> {
    claim(&bytes[..bytes.len().min(16 * 1024)], bytes.len().try_into().unwrap())
}

/// True if the container states the very length, as others state it but for a packet or two.
fn is_exact(claim: &Claim) -> bool {
    claim.is_stated && matches!(claim.container, Container::Wav | Container::Flac)
}

#[test]
fn what_a_recording_claims_is_never_less_than_what_it_measures() {
    for (name, container, ..) in lengths() {
        let bytes = file(&name);
        let claim = claimed(&bytes).unwrap_or_else(|| panic!("{name}: no claim"));
        assert_eq!(claim.container.name(), container, "{name}");
        let measured = length(&bytes).upper_bound();
        assert!(claim.length >= measured, "{name}: {claim:?} but {measured}");
        assert!(!is_exact(&claim) || claim.length == measured, "{name}: {claim:?} but {measured}");
    }
}

#[test]
fn headers_state_lengths_exactly_or_nearly_and_mp3_of_a_constant_rate_is_near() {
    // The claim is exact, stated, and near to the length.
    for (name, exact, stated, near) in [
        ("pcm16.wav", true, true, true),
        ("mulaw.wav", true, true, true),
        // A live recording: all bytes to the end are sound.
        ("live.wav", true, true, true),
        ("speech.flac", true, true, true),
        // Written to a pipe: the encoder did not know the length.
        ("streamed.flac", false, false, false),
        ("cbr.mp3", false, true, true),
        ("vbr.mp3", false, true, true),
        ("vbr-no-header.mp3", false, false, false),
        ("opus.webm", false, true, true),
        // Live recordings.
        ("live.webm", false, false, false),
        ("recorder.webm", false, false, false),
        ("opus.ogg", false, false, false),
        ("aac.m4a", false, false, false),
    ] {
        let (claim, measured) = (claimed(&file(name)).unwrap(), length(&file(name)).upper_bound());
        let is_near = claim.length.get() <= measured.get() + measured.get() / 50 + 400;
        let is = (is_exact(&claim), claim.is_stated, is_near);
        assert_eq!(is, (exact, stated, near), "{name}: {claim:?} and {measured}");
    }
    // Without the frame in which the encoder writes the number of frames, a constant rate is as near.
    let mp3 = file("cbr.mp3");
    let info = memchr::memmem::find(&mp3, b"Info").unwrap();
    let unmarked = [&mp3[..info], b"none", &mp3[info + 4..]].concat();
    let claim = claimed(&unmarked).unwrap();
    assert!(!claim.is_stated && claim.length >= length(&unmarked).upper_bound(), "{claim:?}");
}

#[test]
fn what_is_no_sound_in_a_wav_is_not_claimed() {
    let (wav, list) = (file("pcm16.wav"), [b"LIST", &40_000_u32.to_le_bytes()[..], &vec![b'x'; 40_000]].concat());
    let data = memchr::memmem::find(&wav, b"data").unwrap();
    let after = [&wav[..], &list].concat();
    assert_eq!(claimed(&after), claimed(&wav));
    // A chunk before the sound: then the beginning does not show the size of the sound.
    let before = [&wav[..data], &list, &wav[data..]].concat();
    let claim = claimed(&before).unwrap();
    assert!(!claim.is_stated && claim.length >= length(&before).upper_bound(), "{claim:?}");
    // An absurd size.
    let absurd = [&wav[..12], b"LIST\xff\xff\xff\xff", &wav[12..]].concat();
    assert_eq!(claimed(&absurd).map(|claim| claim.is_stated), Some(false));
}

#[test]
fn what_cannot_be_told_by_its_beginning_claims_nothing() {
    for bytes in [&b""[..], b"RIFF", b"only words, renamed speech.mp3", &[0; 10_000], b"ID3\x04\0\0\x7f\x7f\x7f\x7f"] {
        assert_eq!(claimed(bytes), None);
    }
}

proptest! {
    #[test]
    fn a_claim_is_made_of_anything_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), which in 0..4_usize) {
        let start: &[u8] = [&b"RIFF\0\0\0\0WAVE"[..], b"fLaC\0\0\0\x22", b"\xff\xfb\x90\0", b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x15\x49\xa9\x66"][which];
        claimed(&[start, &bytes].concat());
    }
}
