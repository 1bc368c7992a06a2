//! A stream of server-sent events to the client, kept alive while the provider is silent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use secrecy::SecretString;
use tokio::time::timeout;

use super::context::RelayContext;
use super::frame::{EventEnvelope, is_whole};
use super::open::OpenStream;
use super::whole;
use crate::domain::sse::{Event, Scanner, framed};
use crate::domain::terms::Format;
use crate::exchange::Exchange;
use crate::ledger::Report;
use crate::split::{Transcript, TranscriptBody, TranscriptError, TranscriptEvents};
use crate::upstream::{UpstreamError, json_without_key, without_key};

/// The transcript of a request, still to come.
pub type TranscriptFuture = Pin<Box<dyn Future<Output = Result<Transcript, TranscriptError>>>>;

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// The time for which a stream is still read after its end marker.
const DRAIN_AFTER_DONE: Duration = Duration::from_millis(50);

/// The source of the next bytes.
enum Source {
    /// A provider that has not answered yet.
    Transcript(TranscriptFuture),
    /// A provider's stream.
    Events { bytes: TranscriptEvents, key: Option<SecretString> },
    /// No source: the stream has ended.
    Ended,
}

/// The progress of the stream to the client, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// The transcript is not complete yet.
    Open,
    /// The last event of the transcript has been sent: the stream is whole.
    Complete,
    /// `[DONE]` has been sent.
    Marked,
    /// The rest of a line break after `[DONE]` has been sent too.
    Drained,
    /// An error has been sent: nothing may follow.
    Failed,
}

/// A relay for one stream. It sends whole events as the provider framed them, so a keep-alive or an error of the
/// gateway never splits one.
pub(super) struct Relay {
    source: Source,
    /// The scanner; `None` after the end of the stream.
    scanner: Option<Scanner>,
    ready: VecDeque<Bytes>,
    progress: Progress,
    keep_alive: Duration,
    format: Format,
    describe: fn(&TranscriptError) -> String,
    /// The exchange; `None` as soon as the stream is over, so that it is settled then.
    exchange: Option<Exchange>,
    _open: OpenStream,
}

impl Relay {
    /// Creates a relay for an answer, streamed or whole.
    pub(super) fn of_transcript(transcript: Transcript, context: RelayContext<'_>) -> Self {
        let mut relay = Self::new(Source::Ended, context);
        relay.take(transcript);
        relay
    }

    /// Creates a relay for an answer that is still to come. Sends keep-alives to the client until then.
    pub(super) fn of_forwarding(forwarding: TranscriptFuture, context: RelayContext<'_>) -> Self {
        let mut relay = Self::new(Source::Transcript(forwarding), context);
        relay.ready.push_back(Bytes::from_static(KEEP_ALIVE));
        relay
    }

    fn new(source: Source, context: RelayContext<'_>) -> Self {
        Self {
            source,
            scanner: Some(Scanner::new(context.settings.max_event_bytes)),
            ready: VecDeque::new(),
            progress: Progress::Open,
            keep_alive: context.settings.keep_alive,
            format: context.format,
            describe: context.describe,
            exchange: Some(context.exchange),
            _open: OpenStream::count(),
        }
    }

    /// Returns the bytes for the client.
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
                Source::Transcript(forwarding) => {
                    timeout(self.keep_alive, forwarding).await.map(|answer| self.provider_answered(answer))
                }
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

    /// Waits briefly after `[DONE]` for the provider to end its stream in good order, so that its connection can be
    /// reused. Passes on only the LF of a split CRLF.
    async fn after_the_end(&mut self) -> Option<Bytes> {
        if let Source::Events { bytes, .. } = &mut self.source
            && let Ok(Some(Ok(chunk))) = timeout(DRAIN_AFTER_DONE, bytes.next()).await
            && chunk.as_ref() == b"\n"
            && self.progress == Progress::Marked
        {
            self.progress = Progress::Drained;
            return Some(chunk);
        }
        if !matches!(self.source, Source::Ended) {
            self.stop();
        }
        None
    }

    fn provider_answered(&mut self, answer: Result<Transcript, TranscriptError>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.provider_answered(&answer);
        }
        match answer {
            Ok(transcript) => self.take(transcript),
            Err(error) => self.fail(&error),
        }
    }

    fn take(&mut self, transcript: Transcript) {
        match transcript.body {
            TranscriptBody::Events { bytes, key, max_event_bytes } => {
                if let Some(max) = max_event_bytes {
                    self.scanner = Some(Scanner::new(max));
                }
                self.source = Source::Events { bytes, key };
            }
            TranscriptBody::Whole { body, .. } => {
                if self.format.is_json() {
                    self.record_usage(&body);
                }
                self.delivered();
                for data in whole::events(&body, self.format) {
                    self.ready.push_back(framed(&data));
                }
                self.advance(Progress::Complete);
                self.end();
            }
        }
    }

    fn scan(&mut self, chunk: Bytes) {
        let Some(scanner) = &mut self.scanner else { return };
        let mut events = Vec::new();
        let pushed = scanner.push(chunk, &mut events);
        for event in events {
            self.forward_event(&event);
            if self.progress == Progress::Failed {
                // Nothing may follow an error, whatever else the provider sends.
                return self.stop();
            }
            if self.progress == Progress::Marked {
                return;
            }
        }
        if let Err(error) = pushed {
            self.break_off(UpstreamError::TooLarge { allowed: error.limit });
        }
    }

    /// Passes an event on and reads its content.
    fn forward_event(&mut self, event: &Event) {
        let Some(data) = event.data() else { return self.ready.push_back(self.clean(event.raw())) };
        if event.is_done_marker() {
            self.advance(Progress::Marked);
            return self.ready.push_back(event.raw().clone());
        }
        let mut clean = self.clean(&data);
        let envelope = serde_json::from_slice::<EventEnvelope<'_>>(&data).ok();
        if envelope.as_ref().is_some_and(|envelope| envelope.error.is_some()) {
            self.broken_off(&UpstreamError::Broken);
            self.advance(Progress::Failed);
            clean = without_key(&String::from_utf8_lossy(&clean), None).into_owned().into();
        } else {
            self.delivered();
            if envelope.and_then(|envelope| envelope.kind).as_deref() == Some("transcript.text.done") {
                self.advance(Progress::Complete);
            }
        }
        self.record_usage(&data);
        // The event's other lines go along, unless the redacted data needs a new frame.
        let event = if clean == data { self.clean(event.raw()) } else { framed(&String::from_utf8_lossy(&clean)) };
        self.ready.push_back(event);
    }

    /// Records the progress of the stream, and whether the request has failed or is answered.
    fn advance(&mut self, progress: Progress) {
        self.progress = progress;
        let Some(exchange) = &mut self.exchange else { return };
        if progress == Progress::Failed { exchange.failed() } else { exchange.completed() }
    }

    fn delivered(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.delivered();
        }
    }

    /// Records the usage that an answer or an event reports.
    fn record_usage(&mut self, json: &[u8]) {
        if let Some(exchange) = &mut self.exchange {
            exchange.usage(Report::of_json(json));
        }
    }

    /// Removes the provider's key from an event: a provider may quote it.
    fn clean(&self, bytes: &Bytes) -> Bytes {
        match &self.source {
            Source::Events { key: Some(key), .. } => json_without_key(bytes, key),
            _ => bytes.clone(),
        }
    }

    /// Handles the end of the provider's stream.
    fn end(&mut self) {
        if let Some(event) = self.scanner.take().and_then(Scanner::finish)
            && is_whole(&event)
        {
            // The blank line after the last event is missing; without it clients would ignore the event.
            self.forward_event(&event);
            self.ready.push_back(Bytes::from_static(b"\n\n"));
        }
        match self.progress {
            Progress::Open => self.break_off(UpstreamError::Broken),
            _ => self.close(),
        }
    }

    /// Handles a stream that ends too early or has too large an event.
    fn break_off(&mut self, error: UpstreamError) {
        if self.progress == Progress::Open {
            self.broken_off(&error);
        }
        self.fail(&error.into());
    }

    fn broken_off(&mut self, error: &UpstreamError) {
        if let Some(exchange) = &mut self.exchange {
            exchange.broken_off(error);
        }
    }

    /// Ends a stream that cannot go on. Sends the client an error, unless the transcript is complete.
    fn fail(&mut self, error: &TranscriptError) {
        if self.progress == Progress::Open {
            self.ready.push_back(framed(&(self.describe)(error)));
            self.advance(Progress::Failed);
        }
        self.close();
    }

    /// Ends the stream, with `[DONE]` if it is still missing.
    fn close(&mut self) {
        if self.progress == Progress::Complete {
            self.ready.push_back(Bytes::from_static(DONE));
        }
        self.stop();
    }

    fn stop(&mut self) {
        self.source = Source::Ended;
        if let Some(exchange) = self.exchange.take() {
            exchange.finish_stream();
        }
    }
}
