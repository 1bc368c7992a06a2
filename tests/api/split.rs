//! A recording that its model does not take as it is goes in pieces, and comes back as one transcript.

use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Expectations, Framing, Gate, KEY, Provider, Reply, Seen};
use crate::support::talk::{Talk, piece_ms};

/// Models whose longest recording is 20 seconds: one without times, one with, and one that has the times of pieces.
const SHORT_MODELS: &str = "
[models.gpt-4o-transcribe]
max_seconds = 20

[models.whisper-1]
max_seconds = 20

[models.gpt-4o-transcribe-diarize]
max_seconds = 20
";

/// Three stretches of speech with long silence between them: of one sentence, of three and of two.
fn three_parts() -> Talk {
    Talk::default().says(1).pause(5_000).says(3).pause(5_000).says(2)
}

fn words(sentences: usize) -> String {
    vec!["judge my vow."; sentences].join(" ")
}

/// How many sentences the piece in a request has.
fn sentences(seen: &Seen) -> usize {
    usize::try_from((piece_ms(seen) + 1_000) / 3_313).unwrap()
}

/// An answer with a sentence for each that is in the piece.
fn hears(seen: &Seen) -> Reply {
    let count = sentences(seen);
    let text = words(count);
    let usage =
        json!({ "type": "tokens", "input_tokens": count, "output_tokens": 2 * count, "total_tokens": 3 * count });
    match seen.field("response_format").unwrap_or("json") {
        "text" => Reply::whole(200, "text/plain", format!("{text}\n")),
        "verbose_json" => {
            let segment = |number: usize| {
                let start = 0.3 + 3.3 * f64::from(u32::try_from(number).unwrap());
                json!({ "id": number, "start": start, "end": start + 3.3, "text": "judge my vow." })
            };
            let segments: Vec<_> = (0..count).map(segment).collect();
            Reply::json(
                200,
                &json!({ "task": "transcribe", "language": "english", "duration": 1.0, "text": text, "segments": segments }),
            )
        }
        "diarized_json" => {
            let segment = json!({ "type": "transcript.text.segment", "id": "seg_0", "start": 0.3, "end": 2.0, "text": text, "speaker": "A" });
            Reply::json(200, &json!({ "task": "transcribe", "duration": 1.0, "text": text, "segments": [segment] }))
        }
        "json" if seen.field("stream") == Some("true") => {
            let deltas =
                text.split_inclusive(' ').map(|delta| json!({ "type": "transcript.text.delta", "delta": delta }));
            let done = json!({ "type": "transcript.text.done", "text": text, "usage": usage });
            Reply::stream().send(Framing::PLAIN.all(&deltas.chain([done]).collect::<Vec<_>>()))
        }
        "json" => Reply::json(200, &json!({ "text": text, "usage": usage })),
        other => panic!("asked for {other}"),
    }
}

async fn gateway() -> Gateway {
    let gateway = Setup::new().config(SHORT_MODELS).start().await;
    gateway.provider.answer_by(hears);
    gateway
}

fn form(model: &str, talk: &Talk) -> Form {
    Form::new().fields(&[("model", model)]).file(&talk.wav())
}

fn header(answer: &Answer, name: &str) -> u64 {
    answer.header(name).unwrap_or_else(|| panic!("there is no {name}: {}", answer.text())).parse().unwrap()
}

/// The data of the events of a stream, without its comments and `[DONE]`.
fn data(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn joined(deltas: &[Value]) -> String {
    deltas.iter().filter_map(|event| event["delta"].as_str()).collect()
}

#[tokio::test]
async fn a_long_recording_is_answered_as_if_the_model_took_it() {
    let gateway = gateway().await;
    let talk = three_parts();
    let answer = gateway.transcribe(form("gpt-4o-transcribe", &talk).field("prompt", "names")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["text"], words(6));
    let usage = &answer.json()["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"], &usage["total_tokens"]),
        (&json!(6), &json!(12), &json!(18))
    );
    assert_eq!(header(&answer, "x-voxgate-pieces"), 3);
    let sent: u64 = gateway.provider.all().iter().map(piece_ms).sum();
    assert!(header(&answer, "x-voxgate-speech-ms").abs_diff(sent) <= 3, "{sent}");
    assert!(sent < talk.ms() - 6_000, "long silence is not sent: {sent} of {}", talk.ms());
    for seen in gateway.provider.all() {
        assert_eq!((seen.field("prompt"), seen.field("stream")), (Some("names"), None));
        assert_eq!(seen.file().content_type.as_deref(), Some("audio/flac"));
        assert!(piece_ms(&seen) <= 20_000);
    }
    let record = gateway.log.request(answer.request_id()).await;
    assert_eq!(record["pieces"], 3, "{record}");
}

#[tokio::test]
async fn a_recording_that_its_model_takes_goes_byte_for_byte() {
    let gateway = gateway().await;
    let talk = Talk::default().says(2);
    gateway.provider.answer(Reply::json(200, &json!({ "text": "as it is" })));
    let answer = gateway.transcribe(form("gpt-4o-transcribe", &talk)).await;
    assert_eq!((&answer.json()["text"], answer.header("x-voxgate-pieces")), (&json!("as it is"), None));
    assert_eq!(gateway.provider.last().file().body, talk.wav());
}

#[tokio::test]
async fn the_deltas_of_a_stream_are_the_text_and_comments_say_how_far_it_is() {
    let gateway = gateway().await;
    for model in ["gpt-4o-transcribe", "whisper-1"] {
        let answer = gateway.transcribe(form(model, &three_parts()).field("stream", "true")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let events = data(answer.text());
        let (done, deltas) = events.split_last().unwrap();
        assert_eq!((&done["type"], &done["text"]), (&json!("transcript.text.done"), &json!(words(6))), "{model}");
        assert_eq!(joined(deltas), words(6), "{model}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
        let comments: Vec<Value> = answer
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix(": voxgate "))
            .map(|json| serde_json::from_str(json).unwrap())
            .collect();
        let last = comments.last().unwrap();
        assert_eq!((&last["pieces_done"], &last["pieces"]), (&json!(3), &json!(3)), "{model}: {comments:?}");
        assert_eq!(last["total_ms"], three_parts().ms());
    }
}

#[tokio::test]
async fn the_first_words_come_while_the_first_piece_is_recognised() {
    let gateway = gateway().await;
    let gate = Gate::closed();
    let first = |text: &str| Framing::PLAIN.event(&json!({ "type": "transcript.text.delta", "delta": text }));
    let done = json!({ "type": "transcript.text.done", "text": "judge my vow.", "usage": null });
    let held = gate.clone();
    gateway.provider.answer_by(move |seen| match seen.field("stream") {
        Some(_) => {
            Reply::stream().send(first("judge ")).wait(&held).send(first("my vow.")).send(Framing::PLAIN.event(&done))
        }
        None => hears(seen),
    });
    let request = form("gpt-4o-transcribe", &three_parts()).field("stream", "true").on(gateway.post(TRANSCRIPTIONS));
    let mut stream = gateway.open(request).await;
    assert_eq!(joined(&data(&stream.until("\n\n").await)), "judge");
    gate.open();
    let rest = data(&stream.rest().await);
    assert_eq!(rest.last().unwrap()["text"], words(6));
}

#[tokio::test]
async fn pieces_that_are_heard_out_of_order_are_joined_in_order() {
    let gateway = gateway().await;
    let first = Gate::closed();
    let held = first.clone();
    gateway.provider.answer_by(move |seen| match sentences(seen) {
        1 => Reply::json(200, &json!({ "text": "one" })).held_by(&held),
        3 => Reply::json(200, &json!({ "text": "three" })),
        _ => Reply::json(200, &json!({ "text": "two" })),
    });
    let answer = tokio::spawn(form("gpt-4o-transcribe", &three_parts()).on(gateway.post(TRANSCRIPTIONS)).send());
    gateway.provider.asked(3).await;
    first.open();
    let answer = answer.await.unwrap().unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["text"], "one three two");
}

#[tokio::test]
async fn times_are_those_of_the_recording() {
    let gateway = gateway().await;
    let answer = gateway.transcribe(form("whisper-1", &three_parts()).field("response_format", "verbose_json")).await;
    let answer = answer.json();
    assert_eq!(answer["text"], words(6));
    assert!(
        (answer["duration"].as_f64().unwrap() * 1000.0 - f64::from(u32::try_from(three_parts().ms()).unwrap())).abs()
            < 2.0,
        "{answer}"
    );
    let segments = answer["segments"].as_array().unwrap();
    let time = |member: &str| segments.iter().map(|segment| segment[member].as_f64().unwrap()).collect::<Vec<_>>();
    assert_eq!(segments.iter().map(|it| it["id"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    // The provider hears each piece begin 0.3 s before its voice, which is 0.4 s behind its start.
    let spoken = [0.0, 8.3, 11.6, 14.9, 23.3, 26.6];
    for (heard, spoken) in time("start").iter().zip(spoken) {
        assert!((heard - spoken).abs() < 0.5, "{heard} where {spoken} was spoken");
    }
    assert!(time("end").windows(2).all(|pair| pair[0] <= pair[1]), "{segments:?}");
    assert!(time("end")[3] < 19.0, "an end is no later than the voice: {segments:?}");
}

#[tokio::test]
async fn subtitles_of_a_model_without_times_have_those_of_its_pieces() {
    let gateway = gateway().await;
    for format in ["srt", "vtt"] {
        let answer = gateway.transcribe(form("gpt-transcribe", &three_parts()).field("response_format", format)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.text().matches("judge my vow.").count(), 6, "{}", answer.text());
        assert_eq!(answer.text().starts_with("WEBVTT"), format == "vtt");
        let asked = gateway.provider.last();
        assert_eq!(asked.field("response_format"), Some("json"));
    }
    let words = form("gpt-transcribe", &three_parts())
        .fields(&[("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]);
    gateway.transcribe(words).await.is_error(400, "unsupported_value", Some("timestamp_granularities"));
    let answer =
        gateway.transcribe(form("gpt-transcribe", &three_parts()).field("response_format", "verbose_json")).await;
    let segments = answer.json()["segments"].as_array().unwrap().clone();
    assert!(segments.iter().all(|it| it.get("tokens").is_none() && it.get("avg_logprob").is_none()), "{segments:?}");
}

#[tokio::test]
async fn speakers_of_different_pieces_are_kept_apart() {
    let gateway = gateway().await;
    let form = form("gpt-4o-transcribe-diarize", &three_parts()).field("response_format", "diarized_json");
    let answer = gateway.transcribe(form).await.json();
    let speakers: Vec<_> =
        answer["segments"].as_array().unwrap().iter().map(|it| it["speaker"].as_str().unwrap().to_owned()).collect();
    // Silence divides none of them: who is `A` is known within a piece alone.
    assert_eq!(speakers, ["1:A", "2:A"]);
}

#[tokio::test]
async fn a_recording_without_speech_is_empty_and_no_provider_is_asked() {
    let gateway = gateway().await;
    let silent = Talk::default().pause(30_000);
    let answer = gateway.transcribe(form("gpt-4o-transcribe", &silent)).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("")));
    assert_eq!((header(&answer, "x-voxgate-pieces"), gateway.provider.requests()), (0, 0));
    let stream = gateway.transcribe(form("gpt-4o-transcribe", &silent).field("stream", "true")).await;
    assert_eq!(data(stream.text()).last().unwrap()["text"], "");
}

#[tokio::test]
async fn silence_is_sent_where_the_settings_say_so() {
    let gateway = Setup::new().config(&format!("[speech]\nskip_silence = false\n{SHORT_MODELS}")).start().await;
    gateway.provider.answer_by(|_| Reply::json(200, &json!({ "text": "x" })));
    let talk = three_parts();
    let answer = gateway.transcribe(form("gpt-4o-transcribe", &talk)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent: u64 = gateway.provider.all().iter().map(piece_ms).sum();
    assert!(sent.abs_diff(talk.ms()) <= 3, "{sent} of {}", talk.ms());
}

#[tokio::test]
async fn a_recording_of_too_many_bytes_is_encoded_anew_in_one_piece() {
    let model = "[models.gpt-4o-transcribe]\nmax_bytes = 600000\n";
    let gateway = Setup::new().config(model).start().await;
    gateway.provider.answer_by(hears);
    let talk = Talk::default().says(4);
    // Nothing but sound is left of it.
    let junk = [b"JUNK".as_slice(), &400_000_u32.to_le_bytes(), &vec![0; 400_000]].concat();
    let form = Form::new().field("model", "gpt-4o-transcribe").file(&[talk.wav(), junk].concat());
    let answer = gateway.transcribe(form).await;
    assert_eq!(answer.json()["text"], words(4), "{}", answer.text());
    assert_eq!((header(&answer, "x-voxgate-pieces"), gateway.provider.requests()), (1, 1));
    assert_eq!(piece_ms(&gateway.provider.last()), talk.ms() - 1, "rounded down, not up");
}

#[tokio::test]
async fn what_the_provider_does_not_take_is_encoded_anew() {
    let gateway = gateway().await;
    gateway.provider.answer_by(|seen| Reply::json(200, &json!({ "text": seen.file().content_type })));
    let fragmented = Form::new().field("model", "gpt-4o-transcribe").file(&audio::recorded("fragmented.mp4"));
    let answer = gateway.transcribe(fragmented).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("audio/flac")));
    let whole = Form::new().field("model", "gpt-4o-transcribe").file(&audio::recorded("aac.m4a"));
    assert_eq!(gateway.transcribe(whole).await.json()["text"], "audio/mp4");
}

#[tokio::test]
async fn a_recording_that_the_provider_refuses_as_too_long_is_split_once() {
    for (status, message) in [(413, "too large"), (400, "audio duration 99 seconds is longer than 20 seconds")] {
        let gateway = Gateway::start().await;
        gateway.provider.answer_by(move |seen| {
            if seen.file().content_type.as_deref() == Some("audio/flac") {
                return Reply::json(200, &json!({ "text": "a part" }));
            }
            Reply::json(status, &json!({ "error": { "message": message, "type": "invalid_request_error" } }))
        });
        let talk = Talk::default().says(10).pause(4_000).says(10);
        let answer = gateway.transcribe(form("gpt-4o-transcribe", &talk)).await;
        assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("a part a part")), "{}", answer.text());
        assert_eq!(gateway.provider.requests(), 3);
    }
}

#[tokio::test]
async fn without_splitting_the_limits_of_a_model_refuse() {
    let gateway = Setup::new().config(&format!("[speech]\nsplit = false\n{SHORT_MODELS}")).start().await;
    gateway.transcribe(form("gpt-4o-transcribe", &three_parts())).await.is_error(400, "audio_too_long", Some("file"));
    let subtitles = form("gpt-transcribe", &three_parts()).field("response_format", "srt");
    gateway.transcribe(subtitles).await.is_error(400, "unsupported_value", Some("response_format"));
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn the_words_before_a_piece_go_along_only_if_the_settings_say_so() {
    let gateway = Setup::new().config(&format!("[speech]\ncarry_context = true\n{SHORT_MODELS}")).start().await;
    gateway.provider.answer_by(hears);
    let answer = gateway.transcribe(form("gpt-4o-transcribe", &three_parts()).field("prompt", "names")).await;
    assert_eq!(answer.json()["text"], words(6));
    let prompts: Vec<_> = gateway.provider.all().iter().map(|seen| seen.field("prompt").unwrap().to_owned()).collect();
    assert_eq!(prompts, ["names".to_owned(), format!("names {}", words(1)), format!("names {}", words(4))]);
}

#[tokio::test]
async fn a_provider_that_takes_wav_alone_gets_wav() {
    let provider = Provider::on(Expectations { names_model: false, ..Expectations::default() });
    let own = format!(
        "[providers.own]\npreset = \"whisper.cpp\"\nbase_url = \"{}\"\napi_key = \"{KEY}\"\n[models.own]\nprovider = \"own\"\nmax_seconds = 20\n",
        provider.origin()
    );
    let gateway = Setup::new().config(&own).start().await;
    let heard = Reply::json(200, &json!({ "text": "heard" }));
    provider.answer_always(heard);
    let short = Form::new().field("model", "own").file(&audio::recorded("cbr.mp3"));
    let answer = gateway.transcribe(short).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("heard")), "{}", answer.text());
    let answer = gateway.transcribe(form("own", &three_parts())).await;
    assert_eq!(answer.json()["text"], "heard heard heard", "{}", answer.text());
    for seen in provider.all() {
        let file = seen.file();
        assert_eq!(file.content_type.as_deref(), Some("audio/wav"));
        let stated = u32::from_le_bytes(file.body[40..44].try_into().unwrap());
        assert_eq!((&file.body[..4], usize::try_from(stated).unwrap()), (b"RIFF".as_slice(), file.body.len() - 44));
    }
}

#[tokio::test]
async fn the_last_event_of_a_stream_may_be_larger_than_a_providers() {
    let gateway = Setup::new().config(&format!("[relay]\nmax_event_bytes = 4096\n{SHORT_MODELS}")).start().await;
    gateway.provider.answer_by(|_| Reply::json(200, &json!({ "text": "so ".repeat(1000) })));
    let stream = gateway.transcribe(form("gpt-4o-transcribe", &three_parts()).field("stream", "true")).await;
    assert_eq!(data(stream.text()).last().unwrap()["text"].as_str().unwrap().matches("so").count(), 3000);
    assert!(stream.text().ends_with("data: [DONE]\n\n"));
}
