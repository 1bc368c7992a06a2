//! Tests of the three body forms against each other: a request in any form, in any chunks, yields the same job.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ::base64::Engine;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use futures_util::{TryStreamExt, stream};
use proptest::collection::vec;
use proptest::prelude::*;

use super::media::MediaInfo;
use super::*;
use crate::domain::Length;

mod arriving;

const BOUNDARY: &str = "----voxgate-boundary";

/// The compared values: the fields as forwarded, the audio, and its measured properties.
type Seen = (Vec<(String, String)>, Option<String>, bool, Vec<u8>, MediaInfo);

fn settings() -> config::Settings {
    let toml = "[intake]\nspool_memory_bytes = 1000";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    config::Settings::load(Some(file.path())).unwrap()
}

/// Builds one second of 8-bit mono at `rate`. The sound is not silent, so that a misplaced byte shows.
fn wav(rate: u32) -> Vec<u8> {
    let samples: Vec<u8> = (0..rate).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + rate).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(b"\x01\0\x08\0data");
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&samples);
    wav
}

fn chunks(body: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| Bytes::copy_from_slice(&body[pair[0]..pair[1]])).collect()
}

fn alice() -> ShareKey {
    ShareKey::of_caller("alice")
}

/// Creates a spool quota for one test and the threads that all tests share.
fn shared(settings: &config::Settings) -> Shared {
    static MEASURING: LazyLock<Arc<MeasuringPool>> = LazyLock::new(|| Arc::new(MeasuringPool::new().unwrap()));
    Shared {
        quota: SpoolQuota::new(&settings.fixed.spool, settings.intake.max_audio_bytes),
        measuring: Arc::clone(&MEASURING),
    }
}

async fn take(content_type: &str, query: &str, chunks: Vec<Bytes>) -> Result<Job, IntakeError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    let form = BodyForm::from_content_type(Some(content_type))?;
    let body = stream::iter(chunks.into_iter().map(Ok));
    let (settings, declared) = (settings(), None);
    let incoming = Incoming { task: Task::Transcribe, form, declared, headers: &headers, query, key: alice(), body };
    let shared = shared(&settings);
    take_in(&settings.intake, &shared, incoming).whole().await
}

fn seen(content_type: &str, query: &str, chunks: Vec<Bytes>) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { seen_of(take(content_type, query, chunks).await.unwrap()).await })
}

async fn seen_of(job: Job) -> Seen {
    let audio = job.audio.chunks().map_ok(Vec::from).try_concat();
    let Options { ref model, stream, .. } = job.options;
    (job.options.form_fields(), model.clone(), stream == Some(true), audio.await.unwrap(), job.media)
}

/// Builds a form with fields named as an SDK names them, in the given order, with the file among them.
fn multipart(fields: &[(&str, &str)], file_at: usize, audio: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |headers: &str, content: &[u8]| {
        let mut head = String::new();
        write!(head, "--{BOUNDARY}\r\nContent-Disposition: form-data; {headers}\r\n\r\n").unwrap();
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    for (i, (name, value)) in fields.iter().enumerate() {
        if i == file_at {
            part("name=\"file\"; filename=\"upload\"\r\nContent-Type: application/octet-stream", audio);
        }
        part(&format!("name=\"{name}\""), value.as_bytes());
    }
    if file_at >= fields.len() {
        part("name=\"file\"; filename=\"upload\"", audio);
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

const FIELDS: [(&str, &str); 8] = [
    ("model", "whisper-1"),
    ("response_format", "verbose_json"),
    ("timestamp_granularities[]", "word"),
    ("timestamp_granularities[]", "segment"),
    ("temperature", "0.25"),
    ("prompt", "Grüße, \"Zürich\" & Söhne\nzweite Zeile"),
    ("new_option", "is passed on"),
    ("stream", "false"),
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..crate::properties::cases(48) })]

    #[test]
    fn any_chunking_of_any_form_is_the_same_job(
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        file_at in 0..9_usize,
        url_safe in any::<bool>(),
        data_url in any::<bool>(),
    ) {
        let audio = wav(3000);
        let form_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let expected = seen(&form_type, "", vec![multipart(&FIELDS, 0, &audio).into()]);
        prop_assert_eq!(&expected.3, &audio);
        prop_assert_eq!(expected.4.length, Length::Measured(crate::domain::AudioMs::new(1000)));

        let body = multipart(&FIELDS, file_at, &audio);
        prop_assert_eq!(&seen(&form_type, "", chunks(&body, &cuts)), &expected);

        let encoded = if url_safe { URL_SAFE_NO_PAD.encode(&audio) } else { STANDARD.encode(&audio) };
        let encoded = if data_url { format!("data:audio/wav;base64,{encoded}") } else { encoded };
        let json = serde_json::json!({
            "model": "whisper-1", "response_format": "verbose_json", "audio": encoded, "filename": "x.wav",
            "timestamp_granularities": ["word", "segment"], "temperature": 0.25, "prompt": FIELDS[5].1,
            "new_option": "is passed on", "stream": false, "language": null,
        });
        let body = json.to_string().into_bytes();
        prop_assert_eq!(&seen("application/json", "", chunks(&body, &cuts)), &expected);

        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(FIELDS).finish();
        prop_assert_eq!(&seen("audio/wav", &query, chunks(&audio, &cuts)), &expected);
    }

    #[test]
    fn a_form_cut_short_anywhere_is_an_error_and_never_a_shorter_job(cut in any::<prop::sample::Index>()) {
        let body = multipart(&FIELDS, 3, &wav(3000));
        // The line break after the last delimiter is not part of the form, and some parsers do not need the last two
        // dashes either.
        let cut = cut.index(body.len() - 6);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let form_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let taken = runtime.block_on(take(&form_type, "", vec![Bytes::copy_from_slice(&body[..cut])]));
        prop_assert!(taken.is_err(), "cut at {}", cut);
    }
}

#[test]
fn chunking_strategy_is_the_same_in_brackets_and_as_json() {
    let brackets = [("chunking_strategy[type]", "server_vad"), ("chunking_strategy[threshold]", "0.5")];
    let json = [("chunking_strategy", r#"{"type": "server_vad", "threshold": 0.5}"#)];
    let parse = |pairs: &[(&str, &str)]| {
        Options::parse(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    };
    assert_eq!(parse(&brackets).unwrap(), parse(&json).unwrap());
    assert_eq!(parse(&[("chunking_strategy", "auto")]).unwrap().form_fields()[0].1, "auto");
    for wrong in [
        [("chunking_strategy", "{not json")].as_slice(),
        &[("chunking_strategy[threshold]", "2"), ("chunking_strategy[type]", "server_vad")],
        &[("chunking_strategy[threshold]", "0.2")],
        &[("chunking_strategy[type]", "server_vad"), ("chunking_strategy[type]", "server_vad")],
        &[("chunking_strategy", "auto"), ("chunking_strategy[type]", "server_vad")],
        &[("chunking_strategy[a b]", "x")],
    ] {
        assert_eq!(parse(wrong).unwrap_err().name(), "chunking_strategy", "{wrong:?}");
    }
}

#[test]
fn what_an_option_may_be_is_checked_and_named() {
    let cases = [
        (vec![("temperature", "1.5")], "temperature"),
        (vec![("model[a]", "whisper-1")], "model"),
        (vec![("prompt[]", "a")], "prompt"),
        (vec![("temperature", "NaN")], "temperature"),
        (vec![("response_format", "xml")], "response_format"),
        (vec![("stream", "maybe")], "stream"),
        (vec![("language", "en"), ("languages[]", "de")], "languages"),
        (vec![("language", "e")], "language"),
        (vec![("keywords[]", "two\nlines")], "keywords"),
        (vec![("keywords[]", "<tag>")], "keywords"),
        (vec![("timestamp_granularities[]", "word")], "timestamp_granularities"),
        (vec![("timestamp_granularities[]", "letter"), ("response_format", "verbose_json")], "timestamp_granularities"),
        (vec![("include[]", "logprobs"), ("response_format", "text")], "include"),
        (vec![("model", "a"), ("model", "b")], "model"),
        (vec![("model", "a\r\nb")], "model"),
        (vec![("known_speaker_names[]", "agent")], "known_speaker_references"),
        (vec![("known_speaker_names[]", "x"), ("known_speaker_references[]", "http://x")], "known_speaker_references"),
    ];
    for (pairs, name) in cases {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(Options::parse(owned).unwrap_err().name(), name, "{pairs:?}");
    }
}
