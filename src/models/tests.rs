//! The way of a recording to a model, and the plan for its pieces.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::{Model, Settings, Speech};
use crate::domain::terms::{Format, Task, Timestamps};
use crate::domain::{AudioMs, FileFormat, Length};
use crate::fair_share::ShareKey;
use crate::intake::media::{Container, MediaInfo};
use crate::intake::{Job, Options, SpoolQuota, SpoolWriter};

const MIB_25: u64 = 26_214_400;

fn settings() -> Settings {
    let file = tempfile::NamedTempFile::new().unwrap();
    Settings::load(Some(file.path())).unwrap()
}

/// A recording as it was measured.
#[derive(Debug, Clone, Copy)]
struct Recording {
    container: Container,
    is_fragmented: bool,
    length: Length,
    bytes: u64,
}

const fn seconds(seconds: u64) -> Length {
    Length::Measured(AudioMs::new(seconds * 1000))
}

const fn up_to(seconds: u64) -> Length {
    Length::AtMost(AudioMs::new(seconds * 1000))
}

/// A small MP3 file.
const SHORT: Recording =
    Recording { container: Container::Mp3, is_fragmented: false, length: seconds(60), bytes: 480_000 };

/// Returns a job for `recording` with these fields of a form.
fn job(recording: Recording, fields: &[(&str, &str)]) -> Job {
    let settings = settings();
    let quota = SpoolQuota::new(&settings.fixed.spool, settings.intake.max_audio_bytes);
    let Recording { container, is_fragmented, length, bytes } = recording;
    Job {
        task: Task::Transcribe,
        options: Options::parse(fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
            .unwrap(),
        audio: SpoolWriter::new(&quota, ShareKey::unique(), None).unwrap().finish().release(),
        media: MediaInfo { container, is_fragmented, codec: None, length, bytes },
        references: Length::Measured(AudioMs::default()),
    }
}

/// Returns the way of a recording to a built-in model, or the error.
fn way_to(model: &str, recording: Recording, fields: &[(&str, &str)]) -> Result<Way, String> {
    let settings = settings();
    choose_way(&job(recording, fields), &settings.models[model], &settings.speech).map_err(|error| error.to_string())
}

/// Returns the same where recordings are never split.
fn way_unsplit(model: &str, recording: Recording, fields: &[(&str, &str)]) -> Result<Way, String> {
    let settings = settings();
    let speech = Speech { split: false, ..settings.speech };
    choose_way(&job(recording, fields), &settings.models[model], &speech).map_err(|error| error.to_string())
}

#[test]
fn what_a_model_takes_goes_as_it_is() {
    for recording in [
        SHORT,
        Recording { length: seconds(1400), bytes: MIB_25, ..SHORT },
        // A bound may be far too high, so the provider decides.
        Recording { length: up_to(100_000), ..SHORT },
        Recording { container: Container::Mp4, ..SHORT },
    ] {
        assert_eq!(way_to("gpt-transcribe", recording, &[]), Ok(Way::AsIs), "{recording:?}");
    }
    let long = Recording { length: seconds(14_400), ..SHORT };
    assert_eq!(way_to("whisper-1", long, &[("response_format", "srt")]), Ok(Way::AsIs), "it has no limit of length");
}

#[test]
fn a_recording_is_encoded_anew_where_that_is_enough() {
    let large = Recording { bytes: MIB_25 + 1, length: seconds(800), container: Container::Wav, ..SHORT };
    let fragments = Recording { container: Container::Mp4, is_fragmented: true, ..SHORT };
    for model in ["gpt-transcribe", "whisper-1"] {
        assert_eq!(way_to(model, large, &[]), Ok(Way::Convert(Reason::TooLarge)));
        assert_eq!(way_to(model, fragments, &[]), Ok(Way::Convert(Reason::FileFormat)));
        let larger = Recording { length: seconds(801), ..large };
        assert_eq!(way_to(model, larger, &[]), Ok(Way::Split(Reason::TooLarge)));
        let longer = Recording { length: seconds(801), ..fragments };
        assert_eq!(way_to(model, longer, &[]), Ok(Way::Split(Reason::FileFormat)));
        let unmeasured = Recording { length: up_to(801), ..fragments };
        assert_eq!(way_to(model, unmeasured, &[]), Ok(Way::Split(Reason::FileFormat)), "it may be as long as that");
    }
}

#[test]
fn a_recording_that_is_too_long_is_split() {
    let long = Recording { length: Length::Measured(AudioMs::new(1_400_001)), ..SHORT };
    for model in ["gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"] {
        assert_eq!(way_to(model, long, &[]), Ok(Way::Split(Reason::TooLong)), "{model}");
    }
}

#[test]
fn times_that_a_model_does_not_give_are_those_of_pieces() {
    for format in ["srt", "vtt", "verbose_json"] {
        let format = [("response_format", format)];
        assert_eq!(way_to("gpt-transcribe", SHORT, &format), Ok(Way::Split(Reason::Timestamps)));
        assert_eq!(way_to("whisper-1", SHORT, &format), Ok(Way::AsIs));
        for model in ["gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"] {
            let error = way_to(model, SHORT, &format).unwrap_err();
            assert!(error.contains("is not compatible with model") && !error.contains("'vtt' or"), "{error}");
        }
    }
    let long = Recording { length: seconds(7200), bytes: 1 << 28, ..SHORT };
    let way = way_to("gpt-transcribe", long, &[("response_format", "vtt")]).unwrap();
    assert!(way.times_by_pieces(), "whatever else is in the way");
    let error = way_to("gpt-transcribe", SHORT, &[("response_format", "diarized_json")]).unwrap_err();
    let allowed = "Use 'json', 'text', 'srt', 'verbose_json' or 'vtt' instead.";
    assert!(error.ends_with(allowed), "{error}");
}

#[test]
fn pieces_give_the_times_of_segments_but_not_of_words() {
    let verbose = ("response_format", "verbose_json");
    let asked = |granularity| [verbose, ("timestamp_granularities[]", granularity)];
    assert_eq!(way_to("gpt-transcribe", SHORT, &asked("segment")), Ok(Way::Split(Reason::Timestamps)));
    let word = Err("'timestamp_granularities' is not compatible with model 'gpt-transcribe'.".to_owned());
    assert_eq!(way_to("gpt-transcribe", SHORT, &asked("word")), word);
    let [_, word_too] = asked("word");
    assert!(way_to("gpt-transcribe", SHORT, &[verbose, asked("segment")[1], word_too]).is_err());
    assert_eq!(way_to("whisper-1", SHORT, &asked("word")), Ok(Way::AsIs));
}

#[test]
fn without_splitting_a_recording_goes_as_it_is_or_is_refused() {
    let long = Recording { length: seconds(1401), ..SHORT };
    let too_long = "audio duration 1401.000 seconds is longer than 1400.000 seconds which is the maximum for model \
                    'gpt-transcribe'.";
    assert_eq!(way_unsplit("gpt-transcribe", long, &[]), Err(too_long.to_owned()));
    let large = Recording { bytes: MIB_25 + 1, ..SHORT };
    let too_large =
        "Maximum content size limit (26214400) of model 'whisper-1' exceeded: the recording has 26214401 bytes.";
    assert_eq!(way_unsplit("whisper-1", large, &[]), Err(too_large.to_owned()));
    let srt = "response_format 'srt' is not compatible with model 'gpt-transcribe'. Use 'json' or 'text' instead.";
    assert_eq!(way_unsplit("gpt-transcribe", SHORT, &[("response_format", "srt")]), Err(srt.to_owned()));
    let fragments = Recording { container: Container::Mp4, is_fragmented: true, ..SHORT };
    assert_eq!(way_unsplit("whisper-1", fragments, &[]), Ok(Way::AsIs), "the provider decides");
}

#[test]
fn a_recording_can_be_too_short_for_its_model_by_every_way() {
    let short = Recording { length: Length::Measured(AudioMs::new(99)), ..SHORT };
    for recording in [short, Recording { container: Container::Mp4, is_fragmented: true, ..short }] {
        let error = way_to("gpt-4o-transcribe", recording, &[]).unwrap_err();
        assert!(error.starts_with("audio duration 0.099 seconds is shorter than 0.100 seconds"), "{error}");
    }
    let unmeasured = Recording { length: Length::AtMost(AudioMs::new(99)), ..SHORT };
    assert_eq!(way_to("gpt-4o-transcribe", unmeasured, &[]), Ok(Way::AsIs));
}

#[test]
fn a_limit_that_leaves_no_room_for_a_piece_refuses() {
    let settings = settings();
    let small = |max_bytes, max_seconds: u64| Model {
        max_bytes,
        max_audio: Some(AudioMs::new(max_seconds * 1000)),
        ..Model::unknown("small")
    };
    let large = job(Recording { bytes: 40_000, ..SHORT }, &[]);
    assert_eq!(choose_way(&large, &small(Some(32_320), 1400), &settings.speech).unwrap(), Way::Split(Reason::TooLarge));
    assert!(matches!(choose_way(&large, &small(Some(32_000), 1400), &settings.speech), Err(Unfit::TooLarge { .. })));
    assert_eq!(choose_way(&large, &small(None, 1), &settings.speech).unwrap(), Way::Split(Reason::TooLong));
    assert!(matches!(choose_way(&large, &small(None, 0), &settings.speech), Err(Unfit::TooLong { .. })));
}

/// Returns the plan for pieces of a recording that goes to `model` by `way`.
fn plan(model: &Model, way: Way, format: &str) -> PiecePlan {
    plan_pieces(&job(SHORT, &[("response_format", format)]), model, way, &settings().speech).unwrap()
}

#[test]
fn pieces_are_as_long_as_the_settings_say_where_the_model_takes_that() {
    let models = settings().models;
    let lengths = |model: &Model, way, format| {
        let plan = plan(model, way, format);
        (plan.min.get(), plan.target.get(), plan.max.get())
    };
    let split = Way::Split(Reason::TooLong);
    assert_eq!(lengths(&models["gpt-transcribe"], split, "json"), (500, 300_000, 330_000));
    assert_eq!(lengths(&models["gpt-4o-transcribe"], split, "json"), (500, 300_000, 330_000));
    assert_eq!(lengths(&models["whisper-1"], split, "srt"), (500, 300_000, 330_000), "the times are the model's");
    let diarize = &models["gpt-4o-transcribe-diarize"];
    assert_eq!(lengths(diarize, split, "diarized_json"), (500, 800_000, 800_000), "names of speakers hold for a piece");
    assert_eq!(lengths(diarize, split, "text"), (500, 300_000, 330_000));
    let subtitles = Way::Split(Reason::Timestamps);
    assert_eq!(lengths(&models["gpt-transcribe"], subtitles, "srt"), (500, 20_000, 30_000));
    assert_eq!(lengths(&models["gpt-transcribe"], Way::Convert(Reason::TooLarge), "json"), (500, 800_000, 800_000));
    let short = Model { max_audio: Some(AudioMs::new(25_000)), ..models["gpt-transcribe"].clone() };
    assert_eq!(lengths(&short, split, "json"), (500, 25_000, 25_000));
    assert_eq!(lengths(&short, subtitles, "srt"), (500, 20_000, 25_000));
}

#[test]
fn pieces_are_flac_unless_the_model_takes_only_wav() {
    let model =
        |accepts: &[FileFormat]| Model { accepts: Some(accepts.iter().copied().collect()), ..Model::unknown("listed") };
    let encoding = |model: &Model| plan(model, Way::Convert(Reason::FileFormat), "json").encoding;
    assert_eq!(encoding(&Model::unknown("open")), FileFormat::Flac);
    assert_eq!(encoding(&model(&[FileFormat::Wav, FileFormat::Flac])), FileFormat::Flac);
    assert_eq!(encoding(&model(&[FileFormat::Wav])), FileFormat::Wav);
}

#[test]
fn a_fallback_serves_pieces_only_if_it_gives_the_same_and_takes_them() {
    let settings = settings();
    let (models, speech) = (&settings.models, &settings.speech);
    let serves = |fallback: &Model, requested: &Model, way, fields: &[(&str, &str)]| {
        let job = job(SHORT, fields);
        let plan = plan_pieces(&job, requested, way, speech).unwrap();
        does_pieces(&job, fallback, requested, plan, speech)
    };
    let [new, old] = ["gpt-transcribe", "whisper-1"].map(|name| &models[name]);
    let (long, subtitles) = (Way::Split(Reason::TooLong), Way::Split(Reason::Timestamps));
    assert!(serves(old, new, long, &[]) && serves(new, old, long, &[]));
    assert!(!serves(old, new, subtitles, &[("response_format", "srt")]), "its times are its own");
    assert!(!serves(new, old, long, &[("response_format", "srt")]), "it has no times of its own");
    let like_new = Model { name: "like-new".to_owned(), ..new.clone() };
    assert!(serves(&like_new, new, subtitles, &[("response_format", "srt")]));
    assert!(!serves(new, old, long, &[("timestamp_granularities[]", "word"), ("response_format", "verbose_json")]));
    assert!(!serves(old, new, long, &[("keywords[]", "k")]), "it does not accept the option");
    let seconds = |max: u64| Model { max_audio: Some(AudioMs::new(max * 1000)), ..old.clone() };
    assert!(serves(&seconds(330), new, long, &[]) && !serves(&seconds(329), new, long, &[]));
    let bytes = |max_bytes| Model { max_bytes: Some(max_bytes), ..old.clone() };
    assert!(serves(&bytes(10_665_600), new, long, &[]) && !serves(&bytes(10_665_599), new, long, &[]));
    let min = |ms| Model { min_audio: Some(AudioMs::new(ms)), ..old.clone() };
    assert!(serves(&min(500), new, long, &[]), "no piece is shorter");
    assert!(serves(&min(600), &min(600), long, &[]) && !serves(&min(601), &min(600), long, &[]));
    let wav = |model: &Model| Model { accepts: Some(BTreeSet::from([FileFormat::Wav])), ..model.clone() };
    assert!(!serves(&wav(old), new, long, &[]) && serves(old, &wav(new), long, &[]), "the pieces have one format");
}

#[test]
fn the_number_of_pieces_is_bounded_by_the_length() {
    let models = settings().models;
    let split = |reason, format, ms| {
        let way = Way::Split(reason);
        plan(&models["gpt-transcribe"], way, format).count(way, AudioMs::new(ms))
    };
    for (ms, count) in [(0, 3), (29_999, 3), (30_000, 4), (300_000, 13), (14_400_000, 483)] {
        assert_eq!(split(Reason::TooLong, "json", ms), count, "{ms}");
    }
    for (ms, count) in [(9_999, 3), (10_000, 4), (3_600_000, 363)] {
        assert_eq!(split(Reason::Timestamps, "srt", ms), count, "{ms}");
    }
    let convert = Way::Convert(Reason::TooLarge);
    assert_eq!(plan(&models["gpt-transcribe"], convert, "json").count(convert, AudioMs::new(u64::MAX)), 1);
    assert_eq!(split(Reason::TooLong, "json", u64::MAX), u32::MAX);
}

prop_compose! {
    /// A model entry with any limits.
    fn any_model()(
        max_bytes in proptest::option::of(1_u64..100_000_000),
        max_seconds in proptest::option::of(0_u64..2000),
        min_ms in proptest::option::of(0_u64..5000),
        timestamps in prop::sample::select(Timestamps::ALL),
        accepts in proptest::option::of(prop::sample::subsequence(FileFormat::ALL, 0..FileFormat::ALL.len())),
    ) -> Model {
        Model {
            max_bytes,
            max_audio: max_seconds.map(|seconds| AudioMs::new(seconds * 1000)),
            min_audio: min_ms.map(AudioMs::new),
            timestamps,
            accepts: accepts.map(BTreeSet::from_iter),
            ..Model::unknown("any")
        }
    }
}

prop_compose! {
    fn any_recording()(
        container in prop::sample::select(vec![Container::Wav, Container::Mp4, Container::Webm]),
        is_fragmented: bool,
        is_measured: bool,
        ms in 0_u64..4_000_000,
        bytes in 1_u64..200_000_000,
    ) -> Recording {
        let length = AudioMs::new(ms);
        let length = if is_measured { Length::Measured(length) } else { Length::AtMost(length) };
        Recording { container, is_fragmented, length, bytes }
    }
}

proptest! {
    #![proptest_config(crate::properties::cases(64))]

    #[test]
    fn a_way_is_the_least_that_the_model_takes(
        model in any_model(),
        recording in any_recording(),
        format in prop::sample::select(Format::ALL),
        split: bool,
    ) {
        let speech = Speech { split, ..settings().speech };
        let job = job(recording, &[("response_format", format.as_str())]);
        let fits = model.max_bytes.is_none_or(|max| recording.bytes <= max)
            && model.max_audio.is_none_or(|max| recording.length.measured().is_none_or(|length| length <= max))
            && model.min_audio.is_none_or(|min| recording.length.measured().is_none_or(|length| length >= min))
            && model.accepts.as_ref().is_none_or(|accepts| !split || accepts.contains(&job.media.file_format()))
            && (!format.is_timed() || match model.timestamps {
                Timestamps::Model => true,
                Timestamps::Pieces => !split,
                Timestamps::None => false,
            });
        match choose_way(&job, &model, &speech) {
            Ok(Way::AsIs) => prop_assert!(fits),
            Ok(way) => {
                prop_assert!(!fits && split);
                let plan = plan_pieces(&job, &model, way, &speech);
                prop_assert!(plan.is_some());
                let plan = plan.unwrap();
                prop_assert!(plan.suits(&model) && plan.target <= plan.max && plan.max <= AudioMs::new(800_000));
                let fits_one = recording.length.upper_bound() <= plan.max;
                prop_assert!(!matches!(way, Way::Convert(_)) || fits_one, "one piece holds it");
                let count = u64::from(plan.count(way, recording.length.upper_bound()));
                prop_assert!(count >= 1 && count * plan.target.get() >= recording.length.upper_bound().get());
            }
            Err(_) => prop_assert!(!fits),
        }
    }
}
