//! The lengths that the gateway charges, held against what ffmpeg plays.
//!
//! Two laws. *Never short*: no file, whatever it says of itself, is measured shorter than ffmpeg plays it by more than 1 % or
//! 0.1 s; it may be refused. *Never long*: what real encoders and muxers write, cut, joined and tagged as people have it, is
//! taken, and measured no longer than ffmpeg plays it by more than 2 % or 0.3 s.
//!
//! Where ffmpeg is missing the tests are skipped, unless `REQUIRE_TOOLS=1`, as `make test` sets it.
//! `VOXGATE_LENGTHS=full` looks at many more lies, `VOXGATE_LENGTHS_ONLY=webm` at the formats with that in their names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr)]

mod cache;
mod disguises;
mod edited;
mod false_lengths;
mod ffmpeg;
mod formats;
#[path = "../support/tools.rs"]
#[allow(dead_code, reason = "the tests of the browser use the rest")]
mod tools;

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use voxgate::domain::Length;
use voxgate::intake::media::{MediaError, MediaInfo, inspect};

use ffmpeg::Ffmpeg;
use formats::{FORMATS, Format};
use tools::{TOOLS, require_tool};

/// A recording and where it comes from, in words.
struct Case {
    name: String,
    bytes: Vec<u8>,
    honest: bool,
}

fn measure(bytes: &[u8]) -> Result<MediaInfo, MediaError> {
    inspect(Cursor::new(bytes.to_vec()), bytes.len().try_into().unwrap())
}

/// What is wrong with how `case` is measured, if anything is.
fn judge(ffmpeg: &Ffmpeg, case: &Case) -> Option<String> {
    let Case { name, bytes, honest } = case;
    let measured = measure(bytes);
    let info = match &measured {
        Err(MediaError::Read(error)) => return Some(format!("{name}: {error}")),
        Err(error) if *honest => return Some(format!("{name}: refused: {error}")),
        Err(_) => return None,
        Ok(info) => info,
    };
    let played = ffmpeg.plays(bytes);
    let ms = info.length.upper_bound().get();
    if ms + (played / 100).max(100) < played {
        return Some(format!("{name}: SHORT: {ms} ms measured, {played} ms played ({info:?})"));
    }
    if *honest && ms > played + (played / 50).max(300) {
        return Some(format!("{name}: LONG: {ms} ms measured, {played} ms played ({info:?})"));
    }
    if *honest && matches!(info.length, Length::AtMost(_)) {
        return Some(format!("{name}: is bounded and not measured ({info:?})"));
    }
    None
}

/// Judges all cases, and says everything that is wrong.
fn judge_all(ffmpeg: &Ffmpeg, cases: &[Case]) {
    assert!(!cases.is_empty());
    let wrong: Vec<_> = on_all_cores(cases, |case| judge(ffmpeg, case)).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What `work` makes of each of `items`, in their order.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    done.lock().unwrap().push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What there is to look at.
struct Studio {
    ffmpeg: Ffmpeg,
    recordings: Vec<(&'static Format, Vec<u8>)>,
}

impl Studio {
    /// ffmpeg with all recordings of [`FORMATS`], made once; `None` where there is no ffmpeg and none is asked for.
    fn open() -> Option<&'static Self> {
        static STUDIO: OnceLock<Option<Studio>> = OnceLock::new();
        STUDIO.get_or_init(Self::make).as_ref()
    }

    fn make() -> Option<Self> {
        require_tool("ffmpeg", TOOLS)?;
        let ffmpeg = Ffmpeg::find().expect("ffmpeg -version fails");
        let only = std::env::var("VOXGATE_LENGTHS_ONLY").unwrap_or_default();
        let looked_at: Vec<_> = FORMATS.iter().filter(|format| format.name.contains(&only)).collect();
        let recordings = on_all_cores(&looked_at, |format| (*format, ffmpeg.make(format)));
        Some(Self { ffmpeg, recordings })
    }

    /// Those whose length is measured.
    fn taken(&self) -> impl Iterator<Item = (&'static Format, &[u8])> {
        let taken = self.recordings.iter().filter(|(format, _)| format.refused.is_none());
        taken.map(|(format, bytes)| (*format, bytes.as_slice()))
    }

    /// Those that are taken apart and lied about.
    fn handled(&self) -> impl Iterator<Item = (&'static Format, &[u8])> {
        self.taken().filter(|(format, _)| is_full() || !format.alike)
    }
}

/// Whether there is time for everything.
fn is_full() -> bool {
    std::env::var("VOXGATE_LENGTHS").is_ok_and(|much| much == "full")
}

#[test]
fn what_encoders_write_is_as_long_as_it_plays() {
    let Some(studio) = Studio::open() else { return };
    let case =
        |(format, bytes): (&Format, &[u8])| Case { name: format.name.into(), bytes: bytes.to_vec(), honest: true };
    judge_all(&studio.ffmpeg, &studio.taken().map(case).collect::<Vec<_>>());
}

#[test]
fn a_codec_that_cannot_be_counted_is_refused_by_its_name() {
    let Some(studio) = Studio::open() else { return };
    for (format, bytes) in &studio.recordings {
        let Some(codec) = format.refused else { continue };
        let error = measure(bytes).expect_err(format.name).to_string();
        assert!(error.contains(codec), "{}: {error}", format.name);
    }
}

#[test]
fn what_people_do_to_recordings_does_not_change_their_length() {
    let Some(studio) = Studio::open() else { return };
    let cases: Vec<_> = studio.handled().flat_map(|(format, bytes)| edited::of(format, bytes)).collect();
    judge_all(&studio.ffmpeg, &cases);
}

#[test]
fn no_lie_makes_a_recording_shorter_than_it_plays() {
    let Some(studio) = Studio::open() else { return };
    let cases: Vec<_> = studio.handled().flat_map(|(format, bytes)| false_lengths::of(format, bytes)).collect();
    judge_all(&studio.ffmpeg, &cases);
}

#[test]
fn what_is_taken_for_something_else_is_no_shorter_than_that_plays() {
    let Some(studio) = Studio::open() else { return };
    judge_all(&studio.ffmpeg, &disguises::of(&studio.ffmpeg));
}
