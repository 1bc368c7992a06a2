//! A client of a live session.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::account::Account;
use crate::support::gateway::{Answer, Events, Gateway};
use crate::support::provider::{Reply, Seen};
use crate::support::talk::Talk;

/// The bytes of a quarter of a second of PCM at 16 kHz.
pub(crate) const QUARTER: usize = 8_000;

/// A session that is open, and its client.
pub(crate) struct Live<'a> {
    gateway: &'a Gateway,
    account: Account,
    pub(crate) id: String,
    next_seq: AtomicU64,
}

/// An event: its id and its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// The members of a session of PCM at 16 kHz.
pub(crate) fn pcm16() -> Value {
    json!({ "audio_format": "pcm16", "sample_rate": 16_000 })
}

/// Asks for a session.
pub(crate) async fn ask(gateway: &Gateway, account: &Account, wish: &Value) -> Answer {
    let request = gateway.request(Method::POST, "/v1/live").bearer_auth(account.token());
    gateway.send(request.header("content-type", "application/json").body(wish.to_string())).await
}

impl<'a> Live<'a> {
    /// Opens a session of alice's, of PCM at 16 kHz.
    pub(crate) async fn open(gateway: &'a Gateway) -> Self {
        Self::open_for(gateway, &Account::of("alice", "default"), &pcm16()).await
    }

    pub(crate) async fn open_for(gateway: &'a Gateway, account: &Account, wish: &Value) -> Self {
        let answer = ask(gateway, account, wish).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        Self { gateway, account: account.clone(), id, next_seq: AtomicU64::new(0) }
    }

    /// The same session for another client, or with another token.
    pub(crate) fn with(&self, account: &Account) -> Self {
        let next_seq = AtomicU64::new(self.next_seq.load(Ordering::Relaxed));
        Self { gateway: self.gateway, account: account.clone(), id: self.id.clone(), next_seq }
    }

    fn request(&self, method: Method, rest: &str) -> reqwest::RequestBuilder {
        let path = format!("/v1/live/{}{rest}", self.id);
        self.gateway.request(method, &path).bearer_auth(self.account.token())
    }

    /// Sends a piece with this number.
    pub(crate) async fn send(&self, seq: u64, piece: &[u8]) -> Answer {
        let request = self.request(Method::POST, &format!("/audio?seq={seq}")).body(piece.to_vec());
        self.gateway.send(request).await
    }

    /// Sends the next piece, which is taken.
    pub(crate) async fn say(&self, piece: &[u8]) -> Value {
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        let answer = self.send(seq, piece).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json()["next_seq"], seq + 1);
        answer.json()
    }

    /// Sends all of it in pieces of a quarter of a second.
    pub(crate) async fn say_all(&self, sound: &[u8]) {
        for piece in sound.chunks(QUARTER) {
            self.say(piece).await;
        }
    }

    pub(crate) async fn end(&self) -> Answer {
        self.gateway.send(self.request(Method::POST, "/end")).await
    }

    pub(crate) async fn delete(&self) -> Answer {
        self.gateway.send(self.request(Method::DELETE, "")).await
    }

    pub(crate) async fn show(&self) -> Answer {
        self.gateway.send(self.request(Method::GET, "")).await
    }

    /// Reads the events as they come.
    pub(crate) async fn events(&self) -> Events {
        self.gateway.open(self.request(Method::GET, "/events")).await
    }

    /// Asks for the events, and reads the answer to its end.
    pub(crate) async fn read(&self, query: &str) -> Answer {
        self.gateway.send(self.request(Method::GET, &format!("/events{query}"))).await
    }

    /// Ends the session, and returns all of its events.
    pub(crate) async fn finish(&self) -> Vec<Event> {
        assert_eq!(self.end().await.status, 202);
        self.all_events().await
    }

    /// The events up to the end.
    pub(crate) async fn all_events(&self) -> Vec<Event> {
        parse(&self.events().await.rest().await)
    }
}

/// The events of a stream; `[DONE]` is a string.
pub(crate) fn parse(stream: &str) -> Vec<Event> {
    let events = stream.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    let parse = |event: &str| {
        let (id, data) = event.split_once('\n').unwrap_or_else(|| panic!("no id: {event:?}"));
        let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data: {event:?}"));
        let id = id.strip_prefix("id: ").unwrap_or_else(|| panic!("no id: {event:?}")).to_owned();
        Event { id, data: serde_json::from_str(data).unwrap_or_else(|_| json!(data)) }
    };
    events.map(parse).collect()
}

/// The events of this type.
pub(crate) fn of_type<'e>(events: &'e [Event], kind: &str) -> Vec<&'e Value> {
    events.iter().map(|event| &event.data).filter(|data| data["type"] == kind).collect()
}

/// The text of all deltas.
pub(crate) fn joined(events: &[Event]) -> String {
    of_type(events, "transcript.text.delta").iter().filter_map(|event| event["delta"].as_str()).collect()
}

/// The text of a session that has ended well, which is that of its deltas.
#[track_caller]
pub(crate) fn whole_text(events: &[Event]) -> String {
    let [.., done, end] = events else { panic!("no end: {events:?}") };
    assert_eq!(end.data, json!("[DONE]"), "{events:?}");
    assert_eq!(done.data["type"], "transcript.text.done", "{events:?}");
    assert_eq!(done.data["text"], joined(events), "{events:?}");
    joined(events)
}

/// Some sentences with pauses that end a turn.
pub(crate) fn sentences(count: usize) -> Talk {
    (0..count).fold(Talk::default().pause(300), |talk, _| talk.says(1).pause(500))
}

/// Answers that number the turns.
pub(crate) fn numbered() -> impl FnMut(&Seen) -> Reply + Send + 'static {
    let mut number = 0;
    move |_| {
        number += 1;
        Reply::json(200, &json!({ "text": format!("Turn {number}.") }))
    }
}
