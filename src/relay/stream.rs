//! A stream of server-sent events to the client, whatever the provider does meanwhile.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::timeout;

use super::events::{Event, Scanner};
use super::open::Open;
use super::{RelayContext, ended, whole};
use crate::admission::Permit;
use crate::domain::terms::Format;
use crate::exchange::Record;
use crate::ledger::Report;
use crate::upstream::{Answer, EventBytes, Reply, UpstreamError};
use crate::upstream::redact::{json_without_key, without_key};

/// The provider's reply, still to come.
pub type Forwarding = Pin<Box<dyn Future<Output = Result<Reply, UpstreamError>>>>;

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// How long a stream is read on after its end was marked.
const MOMENT: Duration = Duration::from_millis(50);

/// Where the next bytes come from.
enum Source {
    /// The provider has not answered yet.
    Forwarding(Forwarding),
    /// It streams.
    Events { bytes: EventBytes, key: Option<SecretString> },
    /// Nothing more comes.
    Ended,
}

/// How far the client has been brought, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// Something is missing yet.
    Open,
    /// The last event of the transcript went out: the stream is whole.
    Complete,
    /// `[DONE]` went out.
    Marked,
    /// What could be left of it after that went out too.
    Drained,
    /// An error went out: nothing may follow.
    Failed,
}

/// Relays one stream. Whole events go out as the provider framed them, so that a keep-alive or an error of our own never
/// stands in the middle of one.
pub(super) struct Relay {
    source: Source,
    /// Taken at the end of the stream.
    scanner: Option<Scanner>,
    ready: VecDeque<Bytes>,
    progress: Progress,
    keep_alive: Duration,
    format: Format,
    describe: fn(&UpstreamError) -> String,
    /// Settled as soon as the stream is over.
    permit: Option<Permit>,
    record: Record,
    _open: Open,
}

/// What an event says, as far as it matters here.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    error: Option<IgnoredAny>,
}

impl Relay {
    /// Relays what a provider has begun to say, or has said.
    pub(super) fn of_reply(reply: Reply, manner: RelayContext<'_>) -> Self {
        let mut relay = Self::new(Source::Ended, manner);
        relay.take(reply);
        relay
    }

    /// Relays what a provider will say, and keeps the client waiting until then.
    pub(super) fn of_forwarding(forwarding: Forwarding, manner: RelayContext<'_>) -> Self {
        let mut relay = Self::new(Source::Forwarding(forwarding), manner);
        relay.ready.push_back(Bytes::from_static(KEEP_ALIVE));
        relay
    }

    fn new(source: Source, manner: RelayContext<'_>) -> Self {
        Self {
            source,
            scanner: Some(Scanner::new(manner.settings.max_event_bytes)),
            ready: VecDeque::new(),
            progress: Progress::Open,
            keep_alive: manner.settings.keep_alive,
            format: manner.format,
            describe: manner.describe,
            permit: Some(manner.permit),
            record: manner.record,
            _open: Open::one(),
        }
    }

    /// The bytes for the client.
    pub(super) fn into_stream(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut relay| async move { Some((relay.next().await?, relay)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.progress >= Progress::Marked {
                return self.after_the_end().await;
            }
            let waited = match &mut self.source {
                Source::Ended => return None,
                Source::Forwarding(forwarding) => timeout(self.keep_alive, forwarding).await.map(|reply| match reply {
                    Ok(reply) => self.take(reply),
                    Err(error) => self.fail(&error),
                }),
                Source::Events { bytes, .. } => timeout(self.keep_alive, bytes.next()).await.map(|chunk| match chunk {
                    Some(Ok(chunk)) => self.scan(chunk),
                    Some(Err(error)) => self.fail(&error),
                    None => self.end(),
                }),
            };
            if waited.is_err() {
                return Some(Bytes::from_static(KEEP_ALIVE));
            }
        }
    }

    /// After `[DONE]` a provider has a moment to end its stream in good order, so that its connection can be used again.
    /// The line break that a split CRLF leaves behind is all that may still come.
    async fn after_the_end(&mut self) -> Option<Bytes> {
        if let Source::Events { bytes, .. } = &mut self.source
            && let Ok(Some(Ok(chunk))) = timeout(MOMENT, bytes.next()).await
            && chunk.as_ref() == b"\n"
            && self.progress == Progress::Marked
        {
            self.progress = Progress::Drained;
            return Some(chunk);
        }
        if !matches!(self.source, Source::Ended) {
            self.stop(self.progress == Progress::Failed);
        }
        None
    }

    fn take(&mut self, reply: Reply) {
        match reply.answer {
            Answer::Events { bytes, key } => self.source = Source::Events { bytes, key },
            Answer::Whole { body, .. } => {
                if self.format.is_json() {
                    self.used(&body);
                }
                self.record.first_event();
                for data in whole::events(&body, self.format) {
                    self.ready.push_back(framed(&data));
                }
                self.reach(Progress::Complete);
                self.end();
            }
        }
    }

    fn scan(&mut self, chunk: Bytes) {
        let Some(scanner) = &mut self.scanner else { return };
        let mut events = Vec::new();
        let pushed = scanner.push(chunk, &mut events);
        for event in events {
            self.pass(&event);
            if self.progress == Progress::Failed {
                // Nothing may follow an error, whatever the provider goes on to say.
                return self.stop(true);
            }
            if self.progress == Progress::Marked {
                return;
            }
        }
        if let Err(error) = pushed {
            self.break_off(&UpstreamError::TooLarge { allowed: error.limit });
        }
    }

    /// Sends an event on and notes what it means.
    fn pass(&mut self, event: &Event) {
        let Some(data) = event.data() else { return self.ready.push_back(self.clean(event.raw())) };
        if event.is_done_marker() {
            self.reach(Progress::Marked);
            return self.ready.push_back(event.raw().clone());
        }
        let mut clean = self.clean(&data);
        let said = serde_json::from_slice::<Said<'_>>(&data).ok();
        let is_error = said.as_ref().is_some_and(|said| said.error.is_some());
        if let Some(permit) = self.permit.as_mut().filter(|_| !is_error) {
            permit.heard();
            self.record.first_event();
        }
        if is_error {
            self.count_broken_off(&UpstreamError::Broken);
            self.reach(Progress::Failed);
            clean = without_key(&String::from_utf8_lossy(&clean), None).into_owned().into();
        } else if said.and_then(|said| said.kind).as_deref() == Some("transcript.text.done") {
            self.reach(Progress::Complete);
        }
        self.used(&data);
        // Its other lines go out with it unless its data had to be written anew.
        let event = if clean == data { self.clean(event.raw()) } else { framed(&String::from_utf8_lossy(&clean)) };
        self.ready.push_back(event);
    }

    /// Notes how far the stream has come, for the client and for what it is charged.
    fn reach(&mut self, progress: Progress) {
        self.progress = progress;
        let Some(permit) = &mut self.permit else { return };
        if progress == Progress::Failed { permit.failed() } else { permit.answered() }
    }

    /// Notes what an answer or an event says was used.
    fn used(&mut self, json: &[u8]) {
        let report = Report::of_json(json);
        self.record.usage(report.usage);
        if let Some(permit) = &mut self.permit {
            permit.reported(report);
        }
    }

    /// What a provider says may quote the key that it was asked with.
    fn clean(&self, bytes: &Bytes) -> Bytes {
        match &self.source {
            Source::Events { key: Some(key), .. } => json_without_key(bytes, key),
            _ => bytes.clone(),
        }
    }

    /// The provider has ended its stream.
    fn end(&mut self) {
        if let Some(event) = self.scanner.take().and_then(Scanner::finish)
            && is_whole(&event)
        {
            // The blank line after the last event is missing; without it clients would not see the event.
            self.pass(&event);
            self.ready.push_back(Bytes::from_static(b"\n\n"));
        }
        match self.progress {
            Progress::Open => self.break_off(&UpstreamError::Broken),
            _ => self.close(),
        }
    }

    /// The provider says too little, or too much at once.
    fn break_off(&mut self, error: &UpstreamError) {
        if self.progress == Progress::Open {
            self.count_broken_off(error);
        }
        self.fail(error);
    }

    fn count_broken_off(&self, error: &UpstreamError) {
        if let Some(permit) = &self.permit {
            permit.course().count_broken_off(error);
        }
    }

    /// The stream cannot go on: the client is told why, unless all that matters has been said.
    fn fail(&mut self, error: &UpstreamError) {
        if self.progress == Progress::Open {
            self.ready.push_back(framed(&(self.describe)(error)));
            self.reach(Progress::Failed);
        }
        self.close();
    }

    /// Ends the stream with what is still due.
    fn close(&mut self) {
        if self.progress == Progress::Complete {
            self.ready.push_back(Bytes::from_static(DONE));
        }
        self.stop(self.progress == Progress::Failed);
    }

    fn stop(&mut self, broken: bool) {
        self.source = Source::Ended;
        self.permit = None;
        ended(&self.record, broken);
    }
}

/// Whether an event without its blank line lacks only that, and was not cut off in the middle of its data.
fn is_whole(event: &Event) -> bool {
    event.is_done_marker() || event.data().is_some_and(|data| serde_json::from_slice::<IgnoredAny>(&data).is_ok())
}

/// One event, of JSON on one line: a client that reads line by line shall have it whole. In JSON a line break stands between
/// tokens only, where a space means the same.
fn framed(data: &str) -> Bytes {
    format!("data: {}\n\n", data.replace(['\r', '\n'], " ")).into()
}
