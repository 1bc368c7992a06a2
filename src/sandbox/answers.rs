//! The sandbox's answers in each of OpenAI's formats, built from the measurements.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::domain::terms::{Format, Task};
use crate::domain::{AudioMs, Length};
use crate::intake::Job;

/// The maximum duration of a stream.
const MAX_STREAM_TIME: Duration = Duration::from_secs(4);

/// Builds the answer. Each event of a stream follows the last after `event_delay`, or sooner if the stream would exceed
/// [`MAX_STREAM_TIME`].
pub(super) fn answer(job: &Job, event_delay: Duration) -> HttpResponse {
    let text = text(job);
    let length = job.media.length.upper_bound();
    if job.options.streams() {
        let events = events(&text, length, job.options.format());
        let delay = event_delay.min(max_delay(events.len()));
        return HttpResponse::Ok().content_type("text/event-stream").streaming(paced(events, delay));
    }
    match job.options.format() {
        Format::Json => HttpResponse::Ok().json(json!({ "text": text, "usage": usage(length) })),
        Format::VerboseJson => HttpResponse::Ok().json(verbose(job, &text, length)),
        Format::DiarizedJson => HttpResponse::Ok().json(json!({
            "task": "transcribe", "duration": seconds(length), "text": text,
            "segments": [speaker_segment(&text, length)], "usage": usage(length),
        })),
        Format::Text => plain(format!("{text}\n")),
        Format::Srt => plain(format!("1\n{} --> {}\n{text}\n\n", stamp(AudioMs::new(0), ','), stamp(length, ','))),
        Format::Vtt => {
            plain(format!("WEBVTT\n\n{} --> {}\n{text}\n\n", stamp(AudioMs::new(0), '.'), stamp(length, '.')))
        }
    }
}

fn plain(body: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(body)
}

fn text(job: &Job) -> String {
    let media = &job.media;
    let codec = media.codec.as_ref().map(|codec| format!("{codec} in ")).unwrap_or_default();
    let length = match media.length {
        Length::Measured(length) => format!("{length} s"),
        Length::AtMost(length) => format!("at most {length} s"),
    };
    let task = match job.task {
        Task::Transcribe => "transcribed",
        Task::Translate => "translated",
    };
    format!(
        "Voxgate sandbox: nothing was {task}. The audio is {length} of {codec}{}, {} bytes. \
         Set OPENAI_API_KEY for a real transcript.",
        media.container.name(),
        media.bytes
    )
}

fn verbose(job: &Job, text: &str, length: AudioMs) -> Value {
    let language = job.options.language.as_deref().unwrap_or("english");
    let task = job.task.to_string();
    let mut answer = json!({
        "task": task, "language": language, "duration": seconds(length), "text": text, "usage": usage(length),
    });
    let wants = |granularity: &str| job.options.granularities.iter().any(|wanted| wanted == granularity);
    if let Some(members) = answer.as_object_mut() {
        if wants("word") {
            members.insert("words".to_owned(), words(text, length));
        }
        if wants("segment") || job.options.granularities.is_empty() {
            let segment = json!({
                "id": 0, "seek": 0, "start": 0.0, "end": seconds(length), "text": text, "tokens": [],
                "temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0,
            });
            members.insert("segments".to_owned(), json!([segment]));
        }
    }
    answer
}

/// Spreads the words evenly over the audio.
fn words(text: &str, length: AudioMs) -> Value {
    let words: Vec<_> = text.split_whitespace().collect();
    let count = u64::try_from(words.len()).unwrap_or(1).max(1);
    let at = |index: u64| seconds(AudioMs::new(length.get().saturating_mul(index) / count));
    let timed = words.iter().zip(0_u64..).map(|(word, i)| json!({ "word": word, "start": at(i), "end": at(i + 1) }));
    timed.collect()
}

/// Builds the events: a delta for each word, or a segment for the one speaker; then the whole text; then the end.
fn events(text: &str, length: AudioMs, format: Format) -> Vec<String> {
    let mut events: Vec<Value> = if format == Format::DiarizedJson {
        vec![speaker_segment(text, length)]
    } else {
        let delta = |delta: &str| json!({ "type": "transcript.text.delta", "delta": delta });
        text.split_inclusive(' ').map(delta).collect()
    };
    events.push(json!({ "type": "transcript.text.done", "text": text, "usage": usage(length) }));
    let mut lines: Vec<_> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    lines.push("data: [DONE]\n\n".to_owned());
    lines
}

/// Returns the longest delay before each of `events` events that keeps within [`MAX_STREAM_TIME`].
fn max_delay(events: usize) -> Duration {
    MAX_STREAM_TIME / u32::try_from(events).unwrap_or(u32::MAX).max(1)
}

/// Streams the events, each after a pause. Each time is computed from the start, so that late timers do not add up.
fn paced(events: Vec<String>, delay: Duration) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let start = Instant::now();
    stream::iter(events.into_iter().zip(1..)).then(move |(event, number)| async move {
        tokio::time::sleep_until(start + delay * number).await;
        Ok(Bytes::from(event))
    })
}

fn speaker_segment(text: &str, length: AudioMs) -> Value {
    json!({
        "type": "transcript.text.segment", "id": "seg_0", "start": 0.0, "end": seconds(length),
        "text": text, "speaker": "A",
    })
}

fn usage(length: AudioMs) -> Value {
    json!({ "type": "duration", "seconds": length.get().div_ceil(1000) })
}

/// Returns the length in seconds, for a JSON number.
fn seconds(length: AudioMs) -> f64 {
    length.duration().as_secs_f64()
}

/// Formats a time stamp: `00:00:02,345`.
fn stamp(length: AudioMs, point: char) -> String {
    let (seconds, ms) = (length.get() / 1000, length.get() % 1000);
    format!("{:02}:{:02}:{:02}{point}{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_paced_and_never_takes_longer_than_it_may() {
        for (words, event_delay, expected) in [
            (1, Duration::from_millis(120), Duration::from_millis(360)),
            (20, Duration::from_millis(120), Duration::from_millis(22 * 120)),
            (20, Duration::from_hours(1), MAX_STREAM_TIME),
            (5000, Duration::from_millis(120), MAX_STREAM_TIME),
        ] {
            let events = events(&"word ".repeat(words), AudioMs::new(1000), Format::Json);
            let (count, delay) = (events.len(), event_delay.min(max_delay(events.len())));
            let (start, mut stream) = (Instant::now(), Box::pin(paced(events, delay)));
            for number in 1..=u32::try_from(count).unwrap() {
                assert!(stream.next().await.is_some());
                assert!(start.elapsed() >= delay * number, "event {number} of {count} came early");
            }
            assert!(stream.next().await.is_none());
            // The runtime's timers have a resolution of one millisecond.
            let took = start.elapsed().abs_diff(expected);
            assert!(took < Duration::from_millis(10), "{words} words took {:?}", start.elapsed());
        }
    }
}
