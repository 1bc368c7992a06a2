//! Recordings that are cut, joined, damaged or hostile.

use voxgate::domain::{AudioMs, Length};
use voxgate::intake::media::MediaInfo;
use voxgate::speech::{Reason, SoundError, SoundReader};

use super::ffmpeg::Ffmpeg;
use super::{Sound, compare, decode, measured, signal};

const SECONDS: f64 = 6.15;
const SAMPLES: usize = 98_400;

fn source() -> Vec<u8> {
    signal::wav(48_000, &signal::speech_like(48_000, 2, SECONDS))
}

/// The ways to write a recording whose parts can be put one after another.
const STREAMS: &[(&str, &[&str])] = &[
    ("mp3", &["-c:a", "libmp3lame", "-b:a", "96k"]),
    ("flac", &["-c:a", "flac"]),
    ("ogg", &["-c:a", "libopus"]),
    ("ogg", &["-c:a", "libvorbis"]),
    ("webm", &["-c:a", "libopus"]),
];

#[test]
fn joined_recordings_play_one_after_another() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let half = signal::wav(44_100, &signal::speech_like(44_100, 2, 3.0));
    for (extension, write) in STREAMS {
        let [first, second] = [&source(), &half].map(|wav| ffmpeg.write(wav, write, extension));
        let alone = [&first, &second].map(|bytes| decode(bytes).unwrap().samples);
        let together = decode(&[first, second].concat()).unwrap_or_else(|error| panic!("{write:?}: {error}"));
        let expected = alone.concat();
        let difference = compare::compare(&together.samples, &expected);
        assert!(difference.length.abs() <= 2, "{write:?}: {difference:?}");
        assert!(difference.decibels > 30.0, "{write:?}: {difference:?}");
    }
}

#[test]
fn a_recording_that_is_cut_off_plays_to_where_it_ends() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    for (extension, write) in STREAMS.iter().chain(&[("wav", &["-c:a", "pcm_s16le"][..])]) {
        let bytes = ffmpeg.write(&source(), write, extension);
        let cut = &bytes[..bytes.len() * 2 / 3];
        let (sound, expected) = (decode(cut).unwrap(), ffmpeg.decode(cut, extension));
        let difference = compare::compare(&sound.samples, &expected);
        assert!(difference.length.abs() <= 1200, "{write:?}: {difference:?}");
        assert!(difference.decibels > 15.0 || extension == &"ogg", "{write:?}: {difference:?}");
    }
}

/// Damages some bytes in the middle of a recording.
fn damaged(mut bytes: Vec<u8>, count: usize) -> Vec<u8> {
    let from = bytes.len() / 2;
    bytes[from..from + count].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31) ^ 0x5a);
    bytes
}

#[test]
fn little_damage_is_bridged_without_a_gap_in_time() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let long = signal::wav(48_000, &signal::speech_like(48_000, 2, 20.0));
    for (extension, write) in [STREAMS[0], STREAMS[1], ("ogg", &["-c:a", "libopus", "-page_duration", "100000"])] {
        let whole = ffmpeg.write(&long, write, extension);
        let Sound { samples, report } =
            decode(&damaged(whole, 40)).unwrap_or_else(|error| panic!("{write:?}: {error}"));
        assert!(samples.len().abs_diff(320_000) <= 1200, "{write:?}: {}, {report:?}", samples.len());
        assert!(report.damaged > 0 && report.bridged.get() > 0, "{write:?}: {report:?}");
        // What comes after the damage is where it was.
        let expected = ffmpeg.decode(&ffmpeg.write(&long, write, extension), extension);
        let from = 200_000;
        let difference = compare::compare(&samples[from..], &expected[from..]);
        assert!(difference.decibels > 15.0, "{write:?}: {difference:?}");
    }
}

#[test]
fn much_damage_is_refused() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    for (extension, write) in [STREAMS[1], STREAMS[2]] {
        let bytes = ffmpeg.write(&source(), write, extension);
        let count = bytes.len() / 4;
        let refused = decode(&damaged(bytes, count));
        let Err(SoundError::NotUnderstood { reason, .. }) = refused else { panic!("{write:?}: {refused:?}") };
        assert!(matches!(reason, Reason::Damaged), "{write:?}: {reason}");
    }
}

#[test]
fn an_edit_list_decides_what_is_played() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let whole = ffmpeg.write(&source(), &["-c:a", "aac"], "m4a");
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["whole.m4a", "part.m4a"].map(|name| folder.path().join(name));
    std::fs::write(&from, &whole).unwrap();
    ffmpeg.run(&["-ss", "2", "-i", from.to_str().unwrap(), "-t", "2", "-c", "copy", to.to_str().unwrap()]);
    let part = std::fs::read(&to).unwrap();
    let (sound, expected) = (decode(&part).unwrap(), ffmpeg.decode(&part, "m4a"));
    let difference = compare::compare(&sound.samples, &expected);
    assert!(difference.length.abs() <= 1024, "{difference:?}");
    assert!(difference.decibels > 30.0, "{difference:?} {:?}", compare::best_shift(&sound.samples, &expected));
}

#[test]
fn a_codec_without_a_decoder_is_named() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    for (extension, write, name) in [
        ("mka", &["-c:a", "ac3"][..], "ac3"),
        ("mp4", &["-c:a", "ac3"], "ac3"),
        ("ogg", &["-c:a", "libspeex", "-ar", "16000", "-ac", "1"], "speex"),
        ("mp2", &["-c:a", "mp2"], "mp3"),
        ("m4a", &["-c:a", "aac", "-ac", "6"], "aac"),
    ] {
        let bytes = ffmpeg.write(&source(), write, extension);
        let refused = decode(&bytes);
        let Err(SoundError::NotUnderstood { codec, .. }) = refused else { panic!("{name}: {refused:?}") };
        assert_eq!(codec, name);
    }
}

#[test]
fn sound_behind_the_end_that_a_recording_states_is_not_left_out_without_a_word() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let stated = ffmpeg.write(&source(), &["-c:a", "libmp3lame", "-b:a", "96k"], "mp3");
    let more = ffmpeg.write(
        &source(),
        &["-c:a", "libmp3lame", "-b:a", "96k", "-write_xing", "0", "-id3v2_version", "0"],
        "mp3",
    );
    let refused = decode(&[stated, more].concat());
    let Err(SoundError::NotUnderstood { reason, .. }) = refused else {
        panic!("{:?}", refused.map(|it| it.samples.len()))
    };
    assert!(matches!(reason, Reason::Feature(_)), "{reason}");
}

#[test]
fn pcm_of_one_giant_sample_is_decoded_in_small_blocks() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let long = signal::wav(48_000, &signal::speech_like(48_000, 2, 30.0));
    let mut bytes = ffmpeg.write(&long, &["-c:a", "pcm_s16le"], "mov");
    let expected = decode(&bytes).unwrap().samples;
    // One sample of all bytes, in one chunk.
    let stsz = memchr::memmem::find(&bytes, b"stsz").unwrap();
    let field = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let all = field(stsz + 8) * field(stsz + 12);
    bytes[stsz + 8..stsz + 12].copy_from_slice(&all.to_be_bytes());
    bytes[stsz + 12..stsz + 16].copy_from_slice(&1_u32.to_be_bytes());
    let info = measured(&bytes);
    let mut reader = SoundReader::open(std::io::Cursor::new(&bytes), &info).unwrap();
    let (mut samples, mut largest) = (Vec::new(), 0);
    while let Some(block) = reader.next().unwrap() {
        largest = largest.max(block.len());
        samples.extend_from_slice(block);
    }
    assert!(largest <= 16_384, "{largest}");
    assert_eq!(samples, expected);
}

#[test]
fn a_header_that_claims_a_hundred_hours_costs_nothing() {
    let mut bytes = source();
    let claimed = u32::MAX - 1000;
    bytes[40..44].copy_from_slice(&claimed.to_le_bytes());
    assert_eq!(decode(&bytes).unwrap().samples.len(), SAMPLES);
}

#[test]
fn a_recording_that_decodes_to_less_or_more_than_was_measured_is_refused() {
    let bytes = source();
    for (ms, is_short) in [(9_000, true), (4_000, false)] {
        let info = MediaInfo { length: Length::Measured(AudioMs::new(ms)), ..measured(&bytes) };
        let mut reader = SoundReader::open(std::io::Cursor::new(&bytes), &info).unwrap();
        let error = loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{ms} ms: taken"),
                Err(error) => break error,
            }
        };
        let SoundError::NotUnderstood { reason, .. } = error else { panic!("{error}") };
        assert!(matches!((reason, is_short), (Reason::TooShort { .. }, true) | (Reason::TooLong { .. }, false)));
    }
}

#[test]
fn bytes_of_chance_in_the_place_of_packets_never_panic() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let short = signal::wav(48_000, &signal::speech_like(48_000, 2, 1.2));
    let more: &[(&str, &[&str])] = &[
        ("m4a", &["-c:a", "aac"]),
        ("m4a", &["-c:a", "alac"]),
        ("webm", &["-c:a", "libvorbis"]),
        ("wav", &["-c:a", "adpcm_ms"]),
        ("aiff", &["-c:a", "pcm_s16be"]),
        ("caf", &["-c:a", "alac"]),
    ];
    let mut random = 7_u32;
    for (extension, write) in STREAMS.iter().chain(more) {
        let whole = ffmpeg.write(&short, write, extension);
        for _ in 0..8 {
            let mut bytes = whole.clone();
            for _ in 0..bytes.len() / 200 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = usize::try_from(random >> 8).unwrap() % bytes.len();
                bytes[at] = random.to_le_bytes()[3];
            }
            let length = bytes.len().try_into().unwrap();
            let Ok(info) = voxgate::intake::media::inspect(std::io::Cursor::new(&bytes), length) else { continue };
            let Ok(mut reader) = SoundReader::open(std::io::Cursor::new(&bytes), &info) else { continue };
            let mut blocks = 0;
            while let Ok(Some(block)) = reader.next() {
                assert!(block.iter().all(|sample| sample.is_finite()));
                blocks += 1;
                assert!(blocks < 10_000, "{write:?} never ends");
            }
        }
    }
}
