//! `[speech]`, and what says whether a recording goes to its model as it is: the limits of models, providers and plans.

use std::collections::BTreeSet;

use super::{load, problems};
use crate::domain::terms::Timestamps;
use crate::domain::{AudioMs, FileFormat};

const OPENAI: [FileFormat; 6] =
    [FileFormat::Wav, FileFormat::Mp3, FileFormat::Mp4, FileFormat::Webm, FileFormat::Ogg, FileFormat::Flac];

#[test]
fn recordings_are_split_by_default_and_all_settings_can_be_changed() {
    let speech = load("", &[]).unwrap().speech;
    assert_eq!((speech.split, speech.skip_silence, speech.carry_context), (true, true, false));
    assert_eq!((speech.piece, speech.max_recording), (AudioMs::new(300_000), AudioMs::new(14_400_000)));
    assert_eq!(speech.pieces_at_once.get(), 4);
    let toml = r"
        [speech]
        split = false
        piece_seconds = 30
        pieces_at_once = 64
        max_recording_seconds = 86400
        skip_silence = false
        carry_context = true
        threads = 7
    ";
    let settings = load(toml, &[]).unwrap();
    let speech = settings.speech;
    assert_eq!((speech.split, speech.skip_silence, speech.carry_context), (false, false, true));
    assert_eq!((speech.piece, speech.max_recording), (AudioMs::new(30_000), AudioMs::new(86_400_000)));
    assert_eq!((speech.pieces_at_once.get(), settings.fixed.speech_pool.threads.get()), (64, 7));
    for (key, said) in [
        ("piece_seconds = 29", "speech.piece_seconds: got 29; takes a whole number from 30 to 800"),
        ("piece_seconds = 801", "speech.piece_seconds: got 801"),
        ("pieces_at_once = 0", "speech.pieces_at_once: got 0; takes a whole number from 1 to 64"),
        ("max_recording_seconds = 86401", "takes a whole number from 1 to 86400"),
        ("threads = 0", "speech.threads: got 0; takes a whole number from 1 to 1024"),
        ("spilt = true", "speech.spilt: unknown key; did you mean split?"),
    ] {
        let problems = problems(&format!("[speech]\n{key}"), &[]);
        assert!(problems.starts_with("1 mistake ") && problems.contains(said), "{key}: {problems}");
    }
}

#[test]
fn only_the_threads_of_speech_need_a_restart() {
    let old = load("[speech]\nthreads = 2", &[]).unwrap();
    let reloaded = load("[speech]\nthreads = 3\npiece_seconds = 60", &[]).unwrap().for_running(&old);
    assert_eq!(reloaded.need_restart, ["speech.threads"]);
    let settings = reloaded.settings;
    assert_eq!((settings.fixed.speech_pool.threads.get(), settings.speech.piece), (2, AudioMs::new(60_000)));
}

#[test]
fn openai_takes_25_mib_in_the_formats_that_it_lists_whole() {
    let models = load("[models.new]\nprovider = \"openai\"", &[]).unwrap().models;
    for name in ["gpt-transcribe", "whisper-1", "gpt-4o-transcribe-diarize", "new"] {
        assert_eq!(models[name].max_bytes, Some(26_214_400), "{name}");
        assert_eq!(models[name].accepts, Some(BTreeSet::from(OPENAI)), "{name}");
    }
}

#[test]
fn another_provider_takes_what_its_preset_or_its_table_says() {
    let toml = r#"
        [providers.own]
        base_url = "http://127.0.0.1:9/v1"
        [providers.cpp]
        preset = "whisper.cpp"
        base_url = "http://127.0.0.1:9"
        [providers.listed]
        preset = "whisper.cpp"
        base_url = "http://127.0.0.1:9"
        accepts = ["flac", "mpga", "m4a", "mp4"]
        [providers.like-openai]
        preset = "openai"
        [models.own]
        provider = "own"
        [models.cpp]
        provider = "cpp"
        [models.listed]
        provider = "listed"
        max_bytes = 5
        [models.row]
        provider = "listed"
        accepts = ["wav", "fragmented_mp4"]
        [models.whisper-1]
        provider = "own"
        [models.like-openai]
        provider = "like-openai"
    "#;
    let models = load(toml, &[]).unwrap().models;
    let accepts = |name: &str| models[name].accepts.clone().map(|formats| formats.into_iter().collect::<Vec<_>>());
    assert_eq!(accepts("own"), None);
    assert_eq!(accepts("whisper-1"), None, "the entry is built in, its provider is not");
    assert_eq!(accepts("cpp"), Some(vec![FileFormat::Wav]));
    assert_eq!(accepts("listed"), Some(vec![FileFormat::Mp3, FileFormat::Mp4, FileFormat::Flac]));
    assert_eq!(accepts("row"), Some(vec![FileFormat::Wav, FileFormat::FragmentedMp4]));
    assert_eq!(accepts("like-openai"), Some(OPENAI.to_vec()));
    let max_bytes = ["own", "whisper-1", "cpp", "listed", "like-openai"].map(|name| models[name].max_bytes);
    assert_eq!(max_bytes, [None, None, None, Some(5), Some(26_214_400)]);
    for (list, said) in [
        ("[\"wma\", \"wav\"]", "accepts: got \"wma\"; takes \"wav\", \"mp3\", \"mp4\", \"fragmented_mp4\""),
        ("[\"mp3\", \"mpga\"]", "accepts: has neither flac nor wav"),
        ("[]", "accepts: has neither flac nor wav"),
    ] {
        for table in ["models.whisper-1", "providers.openai"] {
            let problems = problems(&format!("[{table}]\naccepts = {list}"), &[]);
            assert!(problems.contains(&format!("{table}.{said}")), "{list}: {problems}");
        }
    }
}

#[test]
fn the_source_of_times_follows_from_the_formats_unless_it_is_given() {
    let toml = r#"
        [models.open]
        [models.plain]
        formats = ["json", "text"]
        [models.subtitles]
        formats = ["json", "vtt"]
        [models.cut]
        formats = ["json"]
        timestamps = "pieces"
    "#;
    let models = load(toml, &[]).unwrap().models;
    for (name, timestamps) in [
        ("open", Timestamps::Model),
        ("plain", Timestamps::None),
        ("subtitles", Timestamps::Model),
        ("cut", Timestamps::Pieces),
        ("gpt-transcribe", Timestamps::Pieces),
        ("gpt-4o-transcribe", Timestamps::None),
        ("gpt-4o-mini-transcribe-2025-12-15", Timestamps::None),
        ("gpt-4o-transcribe-diarize", Timestamps::Model),
        ("whisper-1", Timestamps::Model),
    ] {
        assert_eq!(models[name].timestamps, timestamps, "{name}");
    }
    assert_eq!(models["gpt-transcribe"].max_audio, Some(AudioMs::new(1_400_000)));
    let problems = problems("[models.open]\ntimestamps = \"word\"", &[]);
    assert!(problems.contains("timestamps: got \"word\"; takes \"model\", \"pieces\" or \"none\""), "{problems}");
}

#[test]
fn the_largest_recording_is_a_quarter_of_the_spool_at_most() {
    let max = |toml: &str| load(toml, &[]).unwrap().intake.max_audio_bytes;
    assert_eq!(max(""), 536_870_912);
    assert_eq!(max("[intake]\nmax_spool_disk_bytes = 2147483648"), 536_870_912);
    assert_eq!(max("[intake]\nmax_spool_disk_bytes = 2147483644"), 536_870_911);
    assert_eq!(max("[intake]\nmax_spool_disk_bytes = 26214400"), 6_553_600, "no settings file stops starting");
    assert_eq!(max("[intake]\nmax_spool_disk_bytes = 1"), 1);
    assert_eq!(max("[intake]\nmax_spool_disk_bytes = 26214400\nmax_audio_bytes = 26214400"), 26_214_400);
}

#[test]
fn a_plan_may_limit_each_recording() {
    let plans = load("[plans.pro]\nmax_recording_seconds = 3600", &[]).unwrap().plans;
    let max = |plan: &str| plans[plan].max_recording;
    assert_eq!((max("pro"), max("default")), (Some(AudioMs::new(3_600_000)), None));
    assert!(plans["pro"].is_within(&plans["default"]));
    assert!(!plans["default"].is_within(&plans["pro"]), "it allows longer recordings");
    for seconds in [0, 86_401] {
        let problems = problems(&format!("[plans.pro]\nmax_recording_seconds = {seconds}"), &[]);
        assert!(problems.contains("max_recording_seconds: got") && problems.contains("from 1 to 86400"), "{problems}");
    }
}
