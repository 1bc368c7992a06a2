//! The pieces that each request or each byte goes through, one by one: `make bench-pieces`, or
//! `cargo bench --bench pieces -- sieve` for those with that in their name. What a change does to one of them shows here
//! long before it shows in the whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that fails may say so in any way"
)]

#[path = "gateway/uploads.rs"]
#[allow(dead_code, reason = "the benchmark of the whole gateway uses the rest")]
mod uploads;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use futures_util::stream;
use tokio::runtime::Runtime;
use voxgate::admission::{Admission, JobToAdmit, Limiter};
use voxgate::app::build::build_verifier;
use voxgate::config::{self, Settings};
use voxgate::domain::sse::Scanner;
use voxgate::domain::terms::Task;
use voxgate::domain::{AudioMs, Subject};
use voxgate::exchange::{Outcome, Record};
use voxgate::fair_share::ShareKey;
use voxgate::identity::Verifier;
use voxgate::intake::base64::Decoder;
use voxgate::intake::json::Sieve;
use voxgate::intake::media;
use voxgate::intake::{self, BodyForm, Incoming, Job, SpoolWriter};
use voxgate::limits::clock::Clock;
use voxgate::limits::rates::Rates;
use voxgate::limits::{Bucket, Limits};
use voxgate::telemetry::metrics::Page;

use uploads::Upload;

/// What is read of a socket at once, about.
const CHUNK: usize = 16 * 1024;
const MEGABYTE: usize = 1_000_000;
/// So many callers have rates of their own.
const CALLERS: usize = 1000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = settings();
    whole_bodies(&mut criterion, &runtime, &settings);
    measuring(&mut criterion, &runtime, &settings);
    json(&mut criterion);
    events(&mut criterion);
    tokens(&mut criterion, &settings);
    limits(&mut criterion, &runtime, &settings);
    metrics(&mut criterion, &settings);
    criterion.final_summary();
}

/// A plan with every limit; all else is the default.
fn settings() -> Settings {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/gateway/voxgate.toml");
    let mut settings = Settings::load(Some(&file)).unwrap();
    settings.identity.secret = Some(uploads::key());
    settings
}

/// Bodies of each form, from the first byte to a job that is measured and ready to be forwarded.
fn whole_bodies(criterion: &mut Criterion, runtime: &Runtime, settings: &Settings) {
    let mut group = criterion.benchmark_group("take_in");
    let shared = intake::Shared::new(&settings.fixed.spool, settings.intake.max_audio_bytes).unwrap();
    let settings = &settings.intake;
    let tokens = uploads::tokens();
    let cases = [
        ("multipart, 40 kB", Upload::form(&tokens, 40_000)),
        ("multipart, 1 MB", Upload::form(&tokens, MEGABYTE)),
        ("multipart, 4 MB, to a file", Upload::form(&tokens, 4 * MEGABYTE)),
        ("json, 1 MB", Upload::json(&tokens, MEGABYTE)),
    ];
    for (name, upload) in cases {
        group.throughput(Throughput::Bytes(u64::try_from(upload.body.len()).unwrap()));
        let headers = headers(&upload);
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(take_in(settings, &shared, &headers, &upload.body)));
        });
    }
    group.finish();
}

async fn take_in(settings: &config::Intake, shared: &intake::Shared, headers: &HeaderMap, body: &Bytes) -> Job {
    let form = BodyForm::from_content_type(headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap())).unwrap();
    let declared = u64::try_from(body.len()).ok();
    let body = stream::iter(chunks(body).map(Ok::<_, PayloadError>));
    let key = ShareKey::of_caller("caller");
    let incoming = Incoming { task: Task::Transcribe, form, declared, headers, query: "", key, body };
    intake::take_in(settings, shared, incoming).whole().await.unwrap()
}

fn headers(upload: &Upload) -> HeaderMap {
    let head = upload.head(0);
    let mut lines = std::str::from_utf8(&head).unwrap().lines();
    let content_type = lines.find_map(|line| line.strip_prefix("Content-Type: ")).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    headers
}

fn chunks(body: &Bytes) -> impl Iterator<Item = Bytes> + use<> {
    let body = body.clone();
    (0..body.len()).step_by(CHUNK).map(move |start| body.slice(start..body.len().min(start + CHUNK)))
}

/// The measuring of a recording in the spool, on this thread.
fn measuring(criterion: &mut Criterion, runtime: &Runtime, settings: &Settings) {
    let mut group = criterion.benchmark_group("measure");
    let shared = intake::Shared::new(&settings.fixed.spool, settings.intake.max_audio_bytes).unwrap();
    for (size, bytes) in [("40 kB", 40_000), ("1 MB", MEGABYTE), ("25 MB", 25 * MEGABYTE)] {
        for (format, file) in [("wav", uploads::wav(bytes)), ("mp3", mp3(bytes)), ("webm", webm(bytes))] {
            let spool = runtime.block_on(async {
                let length = u64::try_from(file.len()).ok();
                let mut writer = SpoolWriter::new(&shared.quota, ShareKey::of_caller("caller"), length).unwrap();
                writer.append(&file).await.unwrap();
                writer.finish().release()
            });
            group.throughput(Throughput::Bytes(spool.length()));
            group.bench_function(format!("{format}, {size}"), |bencher| {
                bencher.iter(|| {
                    let info = media::inspect(spool.source(), spool.length()).unwrap();
                    assert!(info.length.measured().is_some());
                });
            });
        }
    }
    group.finish();
}

/// Frames of layer III at 48 kHz and 64 kbit/s, full of noise.
fn mp3(bytes: usize) -> Vec<u8> {
    let mut file = uploads::wav(bytes);
    file.truncate(bytes / 192 * 192);
    for frame in file.chunks_exact_mut(192) {
        // No byte of ones, so that only the heads look like heads.
        for byte in frame.iter_mut() {
            *byte &= 0x7f;
        }
        frame[..4].copy_from_slice(&[0xff, 0xfb, 0x54, 0xc4]);
    }
    file
}

/// Opus in `WebM` as a browser records it: packets of noise, 80 bytes for 20 ms, in clusters of a second.
fn webm(bytes: usize) -> Vec<u8> {
    let track = b"\xd7\x81\x01\x83\x81\x02\x86\x86A_OPUS\x63\xa2\x93OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    let entry = [&b"\xae"[..], &[0x80 | u8::try_from(track.len()).unwrap()], track].concat();
    let tracks = [&b"\x16\x54\xae\x6b"[..], &[0x80 | u8::try_from(entry.len()).unwrap()], &entry].concat();
    let head = &b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"[..];
    let mut file = [head, &tracks].concat();
    let noise = uploads::wav(bytes);
    for (number, packet) in noise.chunks_exact(80).enumerate() {
        if number % 50 == 0 {
            file.extend_from_slice(b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x81\0");
        }
        file.extend_from_slice(&[0xa3, 0xd4, 0x81, 0, 0, 0x80]);
        // One frame of 20 ms.
        file.push(0x78);
        file.extend_from_slice(&packet[1..]);
    }
    file
}

/// What takes the audio out of a JSON body, and the part of it that decodes.
fn json(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json");
    let body = Upload::json(&uploads::tokens(), MEGABYTE).body;
    group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap()));
    group.bench_function("sieve", |bencher| {
        let mut audio = Vec::new();
        bencher.iter(|| {
            let mut sieve = Sieve::new(CHUNK);
            for chunk in body.chunks(CHUNK) {
                audio.clear();
                sieve.push(chunk, &mut audio).unwrap();
                black_box(&audio);
            }
            sieve.finish().unwrap()
        });
    });
    let text = body.split(|byte| *byte == b'"').max_by_key(|string| string.len()).unwrap();
    group.throughput(Throughput::Bytes(u64::try_from(text.len()).unwrap()));
    group.bench_function("base64", |bencher| {
        let mut audio = Vec::new();
        bencher.iter(|| {
            let mut decoder = Decoder::new();
            for chunk in text.chunks(CHUNK) {
                audio.clear();
                decoder.push(chunk, &mut audio).unwrap();
                black_box(&audio);
            }
            decoder.finish(&mut audio).unwrap();
        });
    });
    group.finish();
}

/// A stream of small events, as a provider sends them.
fn events(criterion: &mut Criterion) {
    let event = "data: {\"type\":\"transcript.text.delta\",\"delta\":\" greasy\",\"logprobs\":[]}\n\n";
    let stream = Bytes::from(event.repeat(MEGABYTE / event.len()));
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Bytes(u64::try_from(stream.len()).unwrap()));
    // One event at a time is what a provider sends; a chunk of many is what comes of it on a busy machine.
    for (name, size) in [("one by one", event.len()), ("16 KiB at once", CHUNK)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (mut scanner, mut events) = (Scanner::new(MEGABYTE), Vec::new());
                for start in (0..stream.len()).step_by(size) {
                    events.clear();
                    scanner.push(stream.slice(start..stream.len().min(start + size)), &mut events).unwrap();
                    for event in &events {
                        black_box(event.data());
                    }
                }
                scanner.finish()
            });
        });
    }
    group.finish();
}

fn tokens(criterion: &mut Criterion, settings: &Settings) {
    let verifier = build_verifier(&settings.identity, None).unwrap();
    let header = format!("Bearer {}", uploads::tokens()[0]);
    criterion.bench_function("token, HS256", |bencher| {
        bencher.iter(|| verifier.from_header(Some(&header)).unwrap());
    });
}

fn limits(criterion: &mut Criterion, runtime: &Runtime, settings: &Settings) {
    let mut group = criterion.benchmark_group("limits");
    let subjects: Vec<Subject> = (0..CALLERS).map(|number| format!("caller-{number}").parse().unwrap()).collect();
    let plan = &settings.plans["default"];
    let limits = Limits {
        requests: plan.requests.map(Bucket::for_requests),
        audio: plan.audio.map(|rate| Bucket::for_audio(rate, AudioMs::new(1))),
        ..Limits::default()
    };
    let rates = Rates::new(Clock::system());
    group.bench_function("rates", |bencher| {
        let mut callers = subjects.iter().cycle();
        bencher.iter(|| rates.take(callers.next().unwrap(), &limits).unwrap());
    });
    group.bench_function("admitted and settled, embedded store", |bencher| {
        admitted(bencher, runtime, settings);
    });
    group.finish();
}

/// One request after the other: the store's one thread takes each settlement before the next request, so both are in it.
fn admitted(bencher: &mut criterion::Bencher, runtime: &Runtime, settings: &Settings) {
    let verifier: Verifier = build_verifier(&settings.identity, None).unwrap();
    let tokens = uploads::tokens();
    let callers = tokens.iter().map(|token| verifier.verify(token).unwrap()).collect::<Vec<_>>();
    let upload = Upload::form(&tokens, 40_000);
    let shared = intake::Shared::new(&settings.fixed.spool, settings.intake.max_audio_bytes).unwrap();
    let job = runtime.block_on(take_in(&settings.intake, &shared, &headers(&upload), &upload.body));
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings.clone();
    folder.path().clone_into(&mut settings.fixed.store.data_dir);
    let (admission, queue) = runtime.block_on(async {
        let (limiter, queue) = Limiter::open(&settings.fixed.store, &Clock::system()).unwrap();
        (Admission::new(&settings, Arc::new(limiter)), queue)
    });
    let mut callers = callers.iter().cycle();
    bencher.iter(|| {
        runtime.block_on(async {
            let caller = callers.next().unwrap();
            let targets = admission.targets(caller, &job).unwrap();
            let asked = admission.admit(JobToAdmit {
                caller,
                job: &job,
                targets: &targets,
                provider: "openai",
                request_id: "a-request",
                pieces: None,
            });
            asked.await.unwrap().answered();
        });
    });
    runtime.block_on(queue.close());
}

/// What a request's end costs where its event is not logged, and what a scrape costs.
fn metrics(criterion: &mut Criterion, settings: &Settings) {
    let model = settings.models.values().next().unwrap();
    let mut group = criterion.benchmark_group("metrics");
    group.bench_function("a request is over", |bencher| {
        bencher.iter(|| {
            let record = Record::start(String::new(), "POST", "/v1/audio/transcriptions");
            record.model(model);
            record.status(200);
            record.outcome(Outcome::Answered);
        });
    });
    group.bench_function("a page", |bencher| bencher.iter(|| Page::begin().finish()));
}
