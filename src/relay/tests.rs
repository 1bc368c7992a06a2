//! The relay of an answer, with paused time.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::{Instant, sleep};

use super::*;
use crate::admission::testing::{Settlements, permit};
use crate::config::{self, Model};
use crate::domain::AudioMs;
use crate::domain::terms::Format;
use crate::exchange::{Exchange, Record};
use crate::ledger::{Ending, Usage};
use crate::models::{AttemptEntry, AttemptTarget};
use crate::split::TranscriptError;
use crate::upstream::{Answer, Reply, UpstreamError};

const LENGTH: AudioMs = AudioMs::new(4000);
const KEEP_ALIVE: &str = ": keep-alive\n\n";
const DELTA: &str = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"he\"}\n\n";
const FINISHED: &str =
    "data: {\"type\":\"transcript.text.done\",\"text\":\"he\",\"usage\":{\"type\":\"duration\",\"seconds\":3}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const PROBLEM: &str = "data: {\"error\":\"Broken\"}\n\n";

static SETTINGS: config::Relay = config::Relay { keep_alive: Duration::from_secs(15), max_event_bytes: 1000 };

/// A client that asks for a transcript, and the settlement of its request.
struct Client {
    context: RelayContext<'static>,
    attempt: AttemptEntry,
    settlements: Settlements,
}

impl Client {
    fn new(events: bool) -> Self {
        let (permit, settlements) = permit("m", LENGTH);
        let mut exchange = Exchange::new(permit, Record::start("a-request".to_owned(), "POST", "/a/route"));
        let model = Model::unknown("m");
        let log = exchange.begin_forwarding(&model);
        let target = AttemptTarget { model: Arc::new(model), provider: "p".to_owned(), key: None };
        let describe = |error: &TranscriptError| format!("{{\"error\":\"{:?}\"}}", error.provider().unwrap());
        let format = Format::Json;
        let context = RelayContext { events, format, settings: &SETTINGS, describe, exchange };
        Self { context, attempt: log.begin_attempt(target), settlements }
    }

    /// Relays the answer, and returns what the client gets and how the request is settled.
    async fn get(mut self, forwarding: TranscriptFuture) -> (String, Ending, AudioMs) {
        let got = match relay(forwarding, self.context).await.unwrap() {
            Relayed::Whole { body, .. } => String::from_utf8(body.into()).unwrap(),
            Relayed::Events { body, .. } => text(&body.collect::<Vec<_>>().await),
        };
        let settlement = self.settlements.next().unwrap();
        (got, settlement.ending, settlement.cost.audio)
    }
}

fn text(chunks: &[Bytes]) -> String {
    String::from_utf8(chunks.concat()).unwrap()
}

fn reply(answer: Answer) -> Reply {
    Reply { provider: "p".to_owned(), request_id: None, headers: HeaderMap::new(), answer }
}

fn whole(body: &'static str) -> Reply {
    let content_type = Some(HeaderValue::from_static("application/json"));
    reply(Answer::Whole { content_type, body: Bytes::from_static(body.as_bytes()) })
}

/// A stream of these chunks: `None` breaks it.
fn events(chunks: &[Option<&'static str>]) -> Reply {
    let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.map(Bytes::from).ok_or(UpstreamError::Broken)).collect();
    let key = Some("a-secret-key".to_owned().into());
    reply(Answer::Events { bytes: stream::iter(chunks).boxed(), key })
}

fn at_once(answer: Result<Reply, UpstreamError>) -> TranscriptFuture {
    Box::pin(async { Ok(answer?.into()) })
}

fn after(seconds: u64, answer: Result<Reply, UpstreamError>) -> TranscriptFuture {
    Box::pin(sleep(Duration::from_secs(seconds)).map(|()| Ok(answer?.into())))
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_passed_on_byte_for_byte_and_settled_before_the_client_has_it() {
    let body = "{ \"text\": \"hello\", \"usage\": {\"type\": \"duration\", \"seconds\": 3} }";
    let mut client = Client::new(false);
    let Ok(Relayed::Whole { body: got, .. }) = relay(at_once(Ok(whole(body))), client.context).await else { panic!() };
    assert_eq!(got, body);
    let settlement = client.settlements.next().unwrap();
    assert_eq!((settlement.ending, settlement.usage), (Ending::Answered, Some(Usage::Length(AudioMs::new(3000)))));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_error_and_costs_nothing() {
    for events in [false, true] {
        let mut client = Client::new(events);
        client.attempt.upload().set();
        let answer = relay(at_once(Err(UpstreamError::Unreachable)), client.context).await;
        assert!(matches!(answer, Err(TranscriptError::Provider(UpstreamError::Unreachable))));
        assert_eq!(client.settlements.next().unwrap().ending, Ending::Refunded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_passed_on_as_it_came_and_its_end_marker_is_added_if_it_is_missing() {
    for marker in [None, Some(DONE)] {
        let chunks: Vec<_> = [DELTA, FINISHED].into_iter().chain(marker).map(Some).collect();
        let (got, ending, cost) = Client::new(true).get(at_once(Ok(events(&chunks)))).await;
        assert_eq!(got, [DELTA, FINISHED, DONE].concat());
        assert_eq!((ending, cost), (Ending::Answered, AudioMs::new(3000)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_becomes_events_for_a_client_that_asked_for_them() {
    let (got, ending, _) = Client::new(true).get(at_once(Ok(whole("{\"text\":\"he\"}")))).await;
    assert_eq!(got, ["data: {\"type\":\"transcript.text.done\",\"text\":\"he\"}\n\n", DONE].concat());
    assert_eq!(ending, Ending::Answered);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_relayed_to_a_client_that_did_not_ask_for_it() {
    let (got, ending, _) = Client::new(false).get(at_once(Ok(events(&[Some(DELTA), Some(FINISHED)])))).await;
    assert_eq!((got, ending), ([DELTA, FINISHED, DONE].concat(), Ending::Answered));
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_keep_alives_until_the_provider_answers_and_while_its_stream_is_silent() {
    let begun = Instant::now();
    let slow = stream::iter([(0, DELTA), (31, FINISHED)]).then(|(seconds, event)| async move {
        sleep(Duration::from_secs(seconds)).await;
        Ok(Bytes::from(event))
    });
    let reply = reply(Answer::Events { bytes: slow.boxed(), key: None });
    let client = Client::new(true);
    let Ok(Relayed::Events { headers, mut body }) = relay(after(40, Ok(reply)), client.context).await else { panic!() };
    assert!(headers.is_empty());
    let mut got = Vec::new();
    while let Some(bytes) = body.next().await {
        got.push((begun.elapsed().as_secs(), String::from_utf8(bytes.into()).unwrap()));
    }
    let expected = [
        (15, KEEP_ALIVE),
        (30, KEEP_ALIVE),
        (40, DELTA),
        (55, KEEP_ALIVE),
        (70, KEEP_ALIVE),
        (71, FINISHED),
        (71, DONE),
    ];
    assert_eq!(got, expected.map(|(seconds, text)| (seconds, text.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_a_keep_alive_is_an_event_and_costs_nothing() {
    let (got, ending, _) = Client::new(true).get(after(20, Err(UpstreamError::Broken))).await;
    assert_eq!((got, ending), ([KEEP_ALIVE, PROBLEM].concat(), Ending::Refunded));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_ends_with_an_error_and_is_charged() {
    // The connection breaks; the stream ends in good order, but with parts missing; an event is cut off.
    for rest in [vec![None], vec![], vec![Some("data: {\"type\":\"transc")]] {
        let chunks: Vec<_> = [Some(DELTA)].into_iter().chain(rest).collect();
        let (got, ending, cost) = Client::new(true).get(at_once(Ok(events(&chunks)))).await;
        assert_eq!((got, ending, cost), ([DELTA, PROBLEM].concat(), Ending::Broken, LENGTH));
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_after_the_last_event_changes_nothing() {
    let (got, ending, _) = Client::new(true).get(at_once(Ok(events(&[Some(FINISHED), None])))).await;
    assert_eq!((got, ending), ([FINISHED, DONE].concat(), Ending::Answered));
}

#[tokio::test(start_paused = true)]
async fn too_large_an_event_breaks_the_stream_off() {
    let large = format!("data: {}", "x".repeat(1000)).leak();
    let (got, ending, _) = Client::new(true).get(at_once(Ok(events(&[Some(DELTA), Some(large)])))).await;
    assert_eq!(
        (got, ending),
        ([DELTA, "data: {\"error\":\"TooLarge { allowed: 1000 }\"}\n\n"].concat(), Ending::Broken)
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_provider_is_passed_on_without_the_key_and_nothing_follows_it() {
    let error = "data: {\"error\":{\"message\":\"bad key a-secret-key\"}}\n\n";
    let (got, ending, cost) =
        Client::new(true).get(at_once(Ok(events(&[Some(DELTA), Some(error), Some(FINISHED)])))).await;
    assert_eq!(got, [DELTA, "data: {\"error\":{\"message\":\"bad key [redacted]\"}}\n\n"].concat());
    assert_eq!((ending, cost), (Ending::Broken, LENGTH));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_pays_if_the_provider_has_its_recording_or_it_has_part_of_the_transcript() {
    for (has_recording, has_events, ending) in
        [(false, false, Ending::Refunded), (true, false, Ending::Left), (false, true, Ending::Left)]
    {
        let mut client = Client::new(true);
        if has_recording {
            client.attempt.upload().set();
        }
        let endless = stream::iter([Ok(Bytes::from(DELTA))]).chain(stream::pending());
        let reply = reply(Answer::Events { bytes: endless.boxed(), key: None });
        let forwarding = if has_events { at_once(Ok(reply)) } else { Box::pin(pending()) };
        let Ok(Relayed::Events { mut body, .. }) = relay(forwarding, client.context).await else { panic!() };
        assert_eq!(body.next().await.unwrap(), if has_events { DELTA } else { KEEP_ALIVE });
        assert!(client.settlements.next().is_none());
        drop(body);
        assert_eq!(client.settlements.next().unwrap().ending, ending);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_settled_with_its_last_byte() {
    let mut client = Client::new(true);
    let forwarding = at_once(Ok(events(&[Some(FINISHED)])));
    let Ok(Relayed::Events { mut body, .. }) = relay(forwarding, client.context).await else { panic!() };
    assert_eq!(body.next().await.unwrap(), FINISHED);
    assert!(client.settlements.next().is_none());
    assert_eq!(body.next().await.unwrap(), DONE);
    assert_eq!(client.settlements.next().unwrap().ending, Ending::Answered);
}
