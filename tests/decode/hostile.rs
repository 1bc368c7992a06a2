//! Recordings made to cost more than they are worth, and their honest relatives.

use std::io::Cursor;

use voxgate::domain::Length;
use voxgate::speech::{Reason, SoundError, SoundReader};

use super::ffmpeg::Ffmpeg;
use super::flac::{self, Form, LARGEST};
use super::ogg::{NONE, Pages};
use super::{compare, decode, measured, signal};

/// The most samples that one call hands out: a MiB of them.
const MAX_HANDED_OUT: usize = 1024 * 1024 / size_of::<f32>();

/// The calls of a reader, up to `max` of them.
struct Calls {
    count: usize,
    samples: usize,
    largest: usize,
    error: Option<SoundError>,
}

fn call(bytes: &[u8], max: usize) -> Calls {
    let mut reader = SoundReader::open(Cursor::new(bytes), &measured(bytes)).unwrap();
    let mut calls = Calls { count: 0, samples: 0, largest: 0, error: None };
    while calls.count < max {
        match reader.next() {
            Ok(Some(block)) => {
                calls.samples += block.len();
                calls.largest = calls.largest.max(block.len());
            }
            Ok(None) => break,
            Err(error) => {
                calls.error = Some(error);
                break;
            }
        }
        calls.count += 1;
    }
    calls
}

fn feature(error: Option<&SoundError>) -> &'static str {
    match error {
        Some(SoundError::NotUnderstood { reason: Reason::Feature(what), .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn gigabytes_of_zeros_in_a_small_file_are_handed_out_in_small_blocks() {
    let form = Form { rate: 48_000, channels: 8 };
    let bytes = flac::zeros(form, 32_768);
    assert!(bytes.len() < 1_300_000, "{}", bytes.len());
    let hours = u64::from(LARGEST) * 32_768 / 48_000 / 3600;
    let Length::Measured(length) = measured(&bytes).length else { panic!() };
    assert_eq!(length.get() / 3_600_000, hours);
    let calls = call(&bytes, 40);
    assert!(calls.error.is_none(), "{:?}", calls.error);
    assert!(calls.largest <= MAX_HANDED_OUT, "{}", calls.largest);
    assert!(calls.samples >= 39 * 16_000, "{}", calls.samples);
}

/// The beginning of Ogg FLAC.
fn ogg_flac(form: Form) -> Pages {
    let mut pages = Pages::default();
    let head = [&b"\x7fFLAC\x01\0\0\x01"[..], &flac::head(form, 0)].concat();
    pages.add(2, 0, &[&head]);
    pages.add(0, 0, &[b"\x84\0\0\x08\0\0\0\0\0\0\0\0"]);
    pages
}

#[test]
fn a_page_of_many_large_frames_is_handed_out_frame_by_frame() {
    for rate in [8_000, 192_000] {
        let form = Form { rate, channels: 8 };
        let mut pages = ogg_flac(form);
        for page in 0..2 {
            let frames: Vec<_> = (0..255).map(|at| flac::frame(form, page * 255 + at, LARGEST, None)).collect();
            let packets: Vec<_> = frames.iter().map(Vec::as_slice).collect();
            pages.add(0, u64::from((page + 1) * 255) * u64::from(LARGEST), &packets);
        }
        let calls = call(&pages.bytes, 60);
        assert!(calls.error.is_none(), "{:?}", calls.error);
        assert!(calls.largest <= MAX_HANDED_OUT, "{rate}: {}", calls.largest);
    }
}

/// Ogg Opus of silence: packets of 20 ms, 250 on each page, all but one page of `pages`. Some state a granule.
fn opus_with_a_gap(pages: u64, missing: u64, states: impl Fn(u64) -> bool) -> Vec<u8> {
    let mut file = Pages::opus();
    for page in 0..pages {
        let granule = if states(page) { (page + 1) * 250 * 960 } else { NONE };
        if page == missing {
            file.number += 1;
        } else {
            file.add(0, granule, &[&[0x48, 0xff, 0xfe][..]; 250]);
        }
    }
    file.bytes
}

#[test]
fn pages_without_times_after_a_gap_are_not_held_without_end() {
    // A gap of 5 s in 600 s is bridged.
    let bridged = decode(&opus_with_a_gap(120, 40, |_| true)).unwrap();
    assert_eq!((bridged.samples.len(), bridged.report.bridged.get()), (600 * 16_000, 5 * 16_000));
    // Also if the page after it states no time: from the next on that does.
    let bridged = decode(&opus_with_a_gap(120, 40, |page| page != 41)).unwrap();
    assert_eq!((bridged.samples.len(), bridged.report.bridged.get()), (600 * 16_000, 5 * 16_000));
    let calls = call(&opus_with_a_gap(120, 40, |page| page < 42), usize::MAX);
    assert_eq!(feature(calls.error.as_ref()), "has pages without times after a gap");
    assert!(calls.largest <= MAX_HANDED_OUT, "{}", calls.largest);
}

#[test]
fn a_rate_that_changes_with_each_frame_is_refused() {
    let form = Form { rate: 48_000, channels: 1 };
    let mut bytes = flac::head(form, 0);
    for number in 0..4000 {
        let rate = 48_000 - u16::try_from(number % 500).unwrap();
        bytes.extend(flac::frame(form, number, 192, Some(rate)));
    }
    let calls = call(&bytes, usize::MAX);
    assert_eq!(feature(calls.error.as_ref()), "begins anew or changes its form more often than any recorder does");
    // A call sets up a few resamplers at most.
    assert!(calls.count >= 64 / 4, "{}", calls.count);
}

#[test]
fn sound_that_is_left_out_takes_turns_too() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let source = signal::wav(48_000, &vec![0.0; 2 * 48_000 * 60]);
    let mut bytes = ffmpeg.write(&source, &["-c:a", "flac", "-strict", "-2"], "mp4");
    // The edit list begins far behind the end.
    let at = memchr::memmem::find(&bytes, b"elst").unwrap();
    bytes[at + 16..at + 20].copy_from_slice(&0x6fff_ffff_u32.to_be_bytes());
    let calls = call(&bytes, usize::MAX);
    assert!(
        matches!(&calls.error, Some(SoundError::NotUnderstood { reason: Reason::NoSound, .. })),
        "{:?}",
        calls.error
    );
    // A call decodes a second or so.
    assert!(calls.count > 40, "{}", calls.count);
}

#[test]
fn a_rate_that_changes_at_times_is_followed() {
    let form = Form { rate: 48_000, channels: 1 };
    let mut bytes = flac::head(form, 0);
    for number in 0..100 {
        let rate = if number / 10 % 2 == 0 { 48_000 } else { 24_000 };
        bytes.extend(flac::frame(form, number, 12_000, Some(rate)));
    }
    // Ten times 2.5 s, and ten times 5 s.
    assert_eq!(decode(&bytes).unwrap().samples.len(), (50 * 4_000 + 50 * 8_000));
}

#[test]
fn short_clips_one_after_another_are_understood() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let clip = signal::wav(44_100, &signal::speech_like(44_100, 2, 0.5));
    // Each begins with a frame that holds no sound, which measuring counts.
    let clip = ffmpeg.write(&clip, &["-c:a", "libmp3lame", "-b:a", "96k", "-id3v2_version", "0"], "mp3");
    let alone = decode(&clip).unwrap().samples;
    let together = decode(&clip.repeat(60)).unwrap();
    let difference = compare::compare(&together.samples, &alone.repeat(60));
    assert!(difference.length.abs() <= 60 && difference.decibels > 20.0, "{difference:?}");
}

#[test]
fn a_tag_behind_flac_costs_no_sound() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let source = signal::wav(48_000, &signal::speech_like(48_000, 2, 3.0));
    let bytes = ffmpeg.write(&source, &["-c:a", "flac"], "flac");
    let expected = decode(&bytes).unwrap().samples;
    let item = [&100_u32.to_le_bytes()[..], &[0; 4], b"Title\0", &[b'x'; 100]].concat();
    let size = u32::try_from(item.len() + 32).unwrap().to_le_bytes();
    let mark = |flags: u32| {
        [&b"APETAGEX"[..], &2000_u32.to_le_bytes(), &size, &1_u32.to_le_bytes(), &flags.to_le_bytes(), &[0; 8]].concat()
    };
    let ape = [mark(0xa000_0000), item, mark(0x8000_0000)].concat();
    let id3 = [&b"TAG"[..], &[b' '; 125]].concat();
    for (name, tag) in [("ID3v1", id3.clone()), ("APE", ape.clone()), ("both", [ape, id3].concat())] {
        let tagged = decode(&[&bytes[..], &tag].concat()).unwrap();
        assert_eq!(tagged.samples, expected, "{name}");
        // Where another file follows, the tag is in the middle.
        let joined = decode(&[&bytes[..], &tag, &bytes].concat()).unwrap();
        assert_eq!(joined.samples.len(), 2 * expected.len(), "{name}");
    }
}

#[test]
fn padding_before_the_last_packet_of_webm_leaves_nothing_out() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let source = signal::wav(48_000, &signal::speech_like(48_000, 2, 1.005));
    let mut bytes = ffmpeg.write(&source, &["-c:a", "libopus"], "webm");
    let padded = decode(&bytes).unwrap().samples;
    let at = memchr::memmem::find(&bytes, b"\x75\xa2").unwrap();
    let size = usize::from(bytes[at + 2] & 0x7f);
    // Minus 256, in as many bytes.
    bytes[at + 3..at + 3 + size].fill(0xff);
    bytes[at + 2 + size] = 0;
    let whole = decode(&bytes).unwrap().samples;
    assert!(whole.len() > padded.len() && whole.starts_with(&padded), "{} and {}", whole.len(), padded.len());
}

#[test]
fn packets_of_chance_are_refused_or_decoded_within_their_length() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let source = signal::wav(48_000, &signal::speech_like(48_000, 2, 2.5));
    let mut random = 11_u32;
    for (extension, write) in [
        ("webm", &["-c:a", "libopus"][..]),
        ("ogg", &["-c:a", "libvorbis"]),
        ("m4a", &["-c:a", "aac", "-movflags", "+faststart"]),
        ("mp3", &["-c:a", "libmp3lame"]),
        ("flac", &["-c:a", "flac"]),
    ] {
        let mut bytes = ffmpeg.write(&source, write, extension);
        let from = bytes.len() / 4;
        for byte in &mut bytes[from..] {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = random.to_le_bytes()[3];
        }
        let size = bytes.len().try_into().unwrap();
        let Ok(info) = voxgate::intake::media::inspect(Cursor::new(&bytes), size) else { continue };
        let Ok(mut reader) = SoundReader::open(Cursor::new(&bytes), &info) else { continue };
        let (mut samples, mut largest) = (0, 0);
        while let Ok(Some(block)) = reader.next() {
            samples += block.len();
            largest = largest.max(block.len());
        }
        let ms = usize::try_from(info.length.upper_bound().get()).unwrap();
        assert!(samples <= (ms + ms / 50 + 1100) * 16, "{extension}: {samples} of {ms} ms");
        assert!(largest <= MAX_HANDED_OUT, "{extension}: {largest}");
    }
}
