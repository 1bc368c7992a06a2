//! What the decoder makes of recordings, held against what ffmpeg makes of them.
//!
//! For every container and codec: as long as ffmpeg's to one packet, and the same sound at the same samples, by a stated ratio
//! of signal to difference. Where ffmpeg is missing the tests are skipped, unless `REQUIRE_TOOLS=1`, as `make test` sets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr)]

mod compare;
mod ffmpeg;
#[path = "../support/flac.rs"]
mod flac;
mod hostile;
mod odd;
#[path = "../support/ogg.rs"]
mod ogg;
mod signal;
#[path = "../support/tools.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod tools;

use std::io::Cursor;

use voxgate::intake::media::{MediaInfo, inspect};
use voxgate::speech::{DecodeReport, SoundError, SoundReader};

use compare::Difference;
use ffmpeg::Ffmpeg;

/// The longest block: two packets of FLAC of the largest size, from 8 kHz.
const MAX_BLOCK: usize = 2 * 65_535 * 2;

/// The sound of a recording.
#[derive(Debug)]
pub(crate) struct Sound {
    samples: Vec<f32>,
    report: DecodeReport,
}

fn measured(bytes: &[u8]) -> MediaInfo {
    inspect(Cursor::new(bytes), bytes.len().try_into().unwrap()).unwrap()
}

/// Decodes a recording.
fn decode(bytes: &[u8]) -> Result<Sound, SoundError> {
    let mut reader = SoundReader::open(Cursor::new(bytes), &measured(bytes))?;
    let mut samples = Vec::new();
    while let Some(block) = reader.next()? {
        assert!(block.len() <= MAX_BLOCK, "a block of {}", block.len());
        samples.extend_from_slice(block);
    }
    assert_eq!(reader.report().samples.get(), u64::try_from(samples.len()).unwrap());
    Ok(Sound { samples, report: reader.report() })
}

/// A format, and how near the decoder is to ffmpeg's.
struct Format {
    name: &'static str,
    /// What ffmpeg is told to write.
    write: &'static [&'static str],
    /// The extension of the file.
    extension: &'static str,
    /// The longest difference in length, in samples: one packet.
    packet: usize,
    /// The least ratio of signal to difference, in decibels.
    min_db: f64,
}

const fn format(
    name: &'static str,
    extension: &'static str,
    write: &'static [&'static str],
    packet: usize,
    min_db: f64,
) -> Format {
    Format { name, write, extension, packet, min_db }
}

/// What limits the ratio is the resampler: ffmpeg's is another one. Opus is decoded straight to 16 kHz, which shifts it by less
/// than a sample.
const FORMATS: &[Format] = &[
    format("WAV u8", "wav", &["-c:a", "pcm_u8"], 1, 50.0),
    format("WAV 16 bit", "wav", &["-c:a", "pcm_s16le"], 1, 60.0),
    format("WAV 24 bit", "wav", &["-c:a", "pcm_s24le"], 1, 60.0),
    format("WAV 32 bit", "wav", &["-c:a", "pcm_s32le"], 1, 60.0),
    format("WAV float", "wav", &["-c:a", "pcm_f32le"], 1, 60.0),
    format("WAV double", "wav", &["-c:a", "pcm_f64le"], 1, 60.0),
    format("WAV A-law", "wav", &["-c:a", "pcm_alaw", "-ar", "8000"], 1, 40.0),
    format("WAV µ-law", "wav", &["-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1"], 1, 40.0),
    format("WAV IMA ADPCM", "wav", &["-c:a", "adpcm_ima_wav"], 1024, 60.0),
    format("WAV MS ADPCM", "wav", &["-c:a", "adpcm_ms"], 1024, 60.0),
    format("WAV 16 kHz", "wav", &["-ar", "16000", "-ac", "1"], 0, 90.0),
    format("WAV 96 kHz", "wav", &["-ar", "96000"], 1, 60.0),
    format("WAV 192 kHz", "wav", &["-ar", "192000"], 1, 60.0),
    format("WAV 11025 Hz", "wav", &["-ar", "11025"], 1, 40.0),
    format("MP3 constant rate", "mp3", &["-c:a", "libmp3lame", "-b:a", "128k"], 384, 60.0),
    format("MP3 variable rate", "mp3", &["-c:a", "libmp3lame", "-q:a", "4", "-ar", "44100"], 420, 60.0),
    format("MP3 22 kHz mono", "mp3", &["-c:a", "libmp3lame", "-ar", "22050", "-ac", "1"], 420, 60.0),
    format("MP3 without Xing", "mp3", &["-c:a", "libmp3lame", "-write_xing", "0"], 384, 60.0),
    format("FLAC", "flac", &["-c:a", "flac"], 1, 60.0),
    format("FLAC 24 bit, 44.1 kHz", "flac", &["-c:a", "flac", "-sample_fmt", "s32", "-ar", "44100"], 1, 60.0),
    format("Ogg Vorbis", "ogg", &["-c:a", "libvorbis", "-ar", "44100"], 1024, 60.0),
    format("Ogg FLAC", "ogg", &["-c:a", "flac"], 1, 60.0),
    format("Ogg Opus", "ogg", &["-c:a", "libopus", "-b:a", "64k"], 320, 25.0),
    format(
        "Ogg Opus voice mono",
        "ogg",
        &["-c:a", "libopus", "-b:a", "20k", "-ac", "1", "-application", "voip"],
        320,
        15.0,
    ),
    format("Ogg Opus 60 ms", "ogg", &["-c:a", "libopus", "-b:a", "32k", "-frame_duration", "60"], 960, 10.0),
    format("WebM Opus", "webm", &["-c:a", "libopus", "-b:a", "64k"], 320, 25.0),
    format("WebM Vorbis", "webm", &["-c:a", "libvorbis"], 1024, 60.0),
    format("Matroska FLAC", "mka", &["-c:a", "flac"], 1, 60.0),
    format("Matroska PCM", "mka", &["-c:a", "pcm_s16le"], 1, 60.0),
    format("Matroska MP3", "mka", &["-c:a", "libmp3lame"], 800, 60.0),
    format("Matroska AAC", "mka", &["-c:a", "aac"], 342, 60.0),
    format("M4A AAC", "m4a", &["-c:a", "aac", "-b:a", "128k"], 342, 60.0),
    format("MP4 AAC 44.1 kHz mono", "mp4", &["-c:a", "aac", "-ar", "44100", "-ac", "1"], 372, 60.0),
    format("M4A AAC, index first", "m4a", &["-c:a", "aac", "-movflags", "+faststart"], 342, 60.0),
    format(
        "MP4 AAC in fragments",
        "mp4",
        &["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "1000000"],
        1024,
        60.0,
    ),
    format("M4A ALAC", "m4a", &["-c:a", "alac"], 1, 60.0),
    format("MP4 Opus", "mp4", &["-c:a", "libopus", "-strict", "-2"], 320, 25.0),
    format("MP4 MP3", "mp4", &["-c:a", "libmp3lame"], 800, 60.0),
    format("MP4 FLAC", "mp4", &["-c:a", "flac", "-strict", "-2"], 1, 60.0),
    format("MOV PCM", "mov", &["-c:a", "pcm_s16be"], 1, 60.0),
    format("AIFF", "aiff", &["-c:a", "pcm_s16be"], 1, 60.0),
    format("AIFF 24 bit", "aiff", &["-c:a", "pcm_s24be"], 1, 60.0),
    format("AIFF-C little-endian", "aiff", &["-c:a", "pcm_s16le"], 1, 60.0),
    format("AIFF-C float", "aiff", &["-c:a", "pcm_f32be"], 1, 60.0),
    format("AIFF-C µ-law", "aiff", &["-c:a", "pcm_mulaw", "-ar", "8000"], 1, 40.0),
    format("CAF PCM", "caf", &["-c:a", "pcm_s16be"], 1, 60.0),
    format("CAF 24 bit little-endian", "caf", &["-c:a", "pcm_s24le"], 1, 60.0),
    format("CAF float", "caf", &["-c:a", "pcm_f32le"], 1, 60.0),
    format("CAF A-law", "caf", &["-c:a", "pcm_alaw", "-ar", "8000"], 1, 40.0),
    format("CAF ALAC", "caf", &["-c:a", "alac"], 1, 60.0),
    format("CAF Opus", "caf", &["-c:a", "libopus"], 320, 15.0),
    format("MOV AAC", "mov", &["-c:a", "aac"], 342, 60.0),
];

#[test]
fn every_format_sounds_as_ffmpeg_decodes_it() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let source = signal::wav(48_000, &signal::speech_like(48_000, 2, 6.15));
    let mut wrong = Vec::new();
    for format in FORMATS {
        let bytes = ffmpeg.write(&source, format.write, format.extension);
        let expected = ffmpeg.decode(&bytes, format.extension);
        match decode(&bytes) {
            Err(error) => wrong.push(format!("{}: {error}", format.name)),
            Ok(sound) => {
                let found = compare::compare(&sound.samples, &expected);
                let Difference { length, decibels } = found;
                let DecodeReport { damaged, packets, .. } = sound.report;
                let of = expected.len();
                let line = format!(
                    "{}: {length} of {of} samples, {decibels:.1} dB, {damaged} of {packets} damaged",
                    format.name
                );
                eprintln!("{line}");
                if length.unsigned_abs() > format.packet || decibels < format.min_db || damaged > 0 {
                    let (shift, best) = compare::best_shift(&sound.samples, &expected);
                    wrong.push(format!("{line}; {best:.1} dB if shifted by {shift}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), FORMATS.len(), wrong.join("\n"));
}
