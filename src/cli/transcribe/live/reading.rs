//! The events of a session, read to their end over as many connections as that takes.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use tokio::time::timeout;

use super::super::answer::{MAX_ERROR_BYTES, is_stream, read_body};
use super::super::display::Display;
use super::super::refusal::Refusal;
use super::error::LiveError;
use super::event::{EventKind, LiveEvent, Span};
use super::link::{Link, MAX_OUTAGE};
use super::outage::Outage;
use super::output::Output;
use super::report::Report;
use super::sound::Sound;
use crate::domain::sse::{Event, Scanner};

/// The largest event, and all events of a session, in bytes. A gateway keeps some megabytes of them.
const MAX_EVENT_BYTES: usize = 8 << 20;
const MAX_BYTES: usize = 64 << 20;
/// The silence after which the events are asked for on another connection. A gateway sends a comment each quarter of a minute.
const MAX_SILENCE: Duration = Duration::from_mins(1);

/// The reader of a session's events.
pub(super) struct Reader<'a> {
    pub(super) link: &'a Link<'a>,
    pub(super) sound: &'a Sound,
    pub(super) report: &'a Report,
    pub(super) id: &'a str,
}

/// The end of a session's events.
pub(super) enum ReadEnd {
    /// The transcript is whole, and of this much sound.
    Done(Option<Duration>),
    /// The gateway has ended the session by an error.
    Failed(Refusal),
    /// The gateway does not have the session any more.
    Lost(String),
}

/// The place in the events.
#[derive(Default)]
struct Place {
    last_id: Option<String>,
    bytes: usize,
}

/// The reason why a connection brings no more events.
enum Stopped {
    /// The events are at their end.
    End(ReadEnd),
    /// It broke.
    Broken(String),
}

impl Reader<'_> {
    /// Reads the events to their end, and writes their words.
    pub(super) async fn run(&self, output: &mut Output) -> Result<ReadEnd, LiveError> {
        // The sender reports a gateway that does not answer.
        let quiet = Display::without_bars(true);
        let (mut outage, mut place) = (Outage::new(&quiet, MAX_OUTAGE), Place::default());
        loop {
            let before = place.bytes;
            let stopped = match self.link.events(self.id, place.last_id.as_deref()).await {
                Ok(response) if response.status() == StatusCode::OK && is_stream(response.headers()) => {
                    self.read(response, &mut place, output).await?
                }
                Ok(response) => refused(response).await?,
                Err(reason) => Stopped::Broken(reason),
            };
            match stopped {
                Stopped::End(end) => return Ok(end),
                Stopped::Broken(reason) => {
                    if place.bytes > before {
                        outage.answered();
                    }
                    outage.wait(&reason, None).await?;
                }
            }
        }
    }

    async fn read(&self, mut response: Response, place: &mut Place, output: &mut Output) -> Result<Stopped, LiveError> {
        let (mut scanner, mut events) = (Scanner::new(MAX_EVENT_BYTES), Vec::new());
        loop {
            let chunk = match timeout(MAX_SILENCE, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(_) => return Ok(Stopped::Broken("the events broke off".to_owned())),
                Err(_) => return Ok(Stopped::Broken("the events fell silent".to_owned())),
            };
            place.bytes = place.bytes.saturating_add(chunk.len());
            if place.bytes > MAX_BYTES {
                return Err(LiveError::TooLarge(MAX_BYTES));
            }
            let pushed = scanner.push(chunk, &mut events);
            for event in events.drain(..) {
                if let Some(end) = self.take(&event, output).await? {
                    return Ok(Stopped::End(end));
                }
                if let Some(id) = event.id() {
                    place.last_id = Some(id.to_owned());
                }
            }
            pushed.map_err(|error| LiveError::TooLarge(error.limit))?;
        }
    }

    /// Takes an event, and returns the end of the events if it is that.
    async fn take(&self, event: &Event, output: &mut Output) -> Result<Option<ReadEnd>, LiveError> {
        let Some(event) = event.data().and_then(|data| LiveEvent::read(&data)) else { return Ok(None) };
        output.write(&event, self.sound.begin_of_session()).await?;
        match event.kind {
            // The sound of words that were written need not be kept.
            EventKind::Segment { span, .. } => self.sound.heard(span.end),
            EventKind::TurnFailed { refusal, span } => {
                self.report.missing(&format!("{}: {refusal}", times(span, self.sound.begin_of_session())));
                self.sound.heard(span.end);
            }
            EventKind::Failed(refusal) => return Ok(Some(ReadEnd::Failed(refusal))),
            EventKind::Done { length } => return Ok(Some(ReadEnd::Done(length))),
            EventKind::Delta(_) | EventKind::Other => {}
        }
        Ok(None)
    }
}

/// Reads why there are no events.
async fn refused(response: Response) -> Result<Stopped, LiveError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match read_body(response, MAX_ERROR_BYTES).await {
        Ok(body) => body,
        Err(error) => return Ok(Stopped::Broken(error.to_string())),
    };
    let refusal = Refusal::read(&body, Some(status), &headers);
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Stopped::End(ReadEnd::Lost(refusal.to_string()))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Ok(Stopped::Broken(refusal.to_string())),
        _ if status.is_client_error() => Err(LiveError::Refused(Box::new(refusal))),
        _ => Ok(Stopped::Broken(refusal.to_string())),
    }
}

/// Formats times of the whole sound for people.
fn times(span: Span, begin: Duration) -> String {
    let seconds = |time: Duration| {
        let tenths = begin.saturating_add(time).as_millis() / 100;
        format!("{}.{} s", tenths / 10, tenths % 10)
    };
    format!("{} to {}", seconds(span.start), seconds(span.end))
}
