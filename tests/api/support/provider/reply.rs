//! What the provider is told to do: the whole of a behaviour in one value.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Holds the provider back until it is opened.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.add_permits(1);
    }

    pub(super) async fn opened(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// One thing that happens while a body is sent.
#[derive(Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    /// Over and over, with such pauses, until the gateway has had enough.
    Repeat(Vec<u8>, Duration),
    Wait(Gate),
    Reset,
    Close,
}

#[derive(Clone)]
pub(super) enum Body {
    /// With a `Content-Length`.
    Whole(Vec<u8>),
    /// With this for a `Content-Length`.
    Declared(&'static str, Vec<u8>),
    /// With a `Content-Length` that is larger than the body.
    Short(Vec<u8>),
    /// In chunks, each sent when its step has come.
    Chunked(Vec<Step>),
}

/// How a request is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upload {
    /// To its end, and then it is answered.
    Read,
    /// To its end, and then the connection is reset.
    ReadAndReset,
    /// The connection is reset after so many bytes of the body.
    ResetAfter(usize),
    /// It is answered after so many bytes of the body, whatever comes then.
    AnswerAfter(usize),
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(super) upload: Upload,
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
    /// Nothing is sent before this opens.
    pub(super) head: Option<Gate>,
}

impl Reply {
    pub(crate) fn whole(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { upload: Upload::Read, status, headers, body: Body::Whole(body.into()), head: None }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    /// A body that ends before its `Content-Length` says.
    pub(crate) fn cut_short(content_type: &str, body: &str) -> Self {
        Self { body: Body::Short(body.into()), ..Self::whole(200, content_type, "") }
    }

    /// A body whose `Content-Length` says this.
    pub(crate) fn declared(length: &'static str, content_type: &str, body: &str) -> Self {
        Self { body: Body::Declared(length, body.into()), ..Self::whole(200, content_type, "") }
    }

    /// No answer at all: the connection is reset when the request is there.
    pub(crate) fn hang_up() -> Self {
        Self { upload: Upload::ReadAndReset, ..Self::whole(200, "", "") }
    }

    /// The connection is reset after so many bytes of the request's body.
    pub(crate) fn hang_up_in_mid_upload(bytes: usize) -> Self {
        Self { upload: Upload::ResetAfter(bytes), ..Self::whole(200, "", "") }
    }

    /// The answer is given after so many bytes of the request's body.
    pub(crate) fn in_mid_upload(self, bytes: usize) -> Self {
        Self { upload: Upload::AnswerAfter(bytes), ..self }
    }

    /// An answer of this type in chunks, to be given its steps.
    pub(crate) fn chunked(content_type: &str) -> Self {
        Self { body: Body::Chunked(Vec::new()), ..Self::whole(200, content_type, "") }
    }

    /// An error in OpenAI's shape.
    pub(crate) fn error(status: u16) -> Self {
        super::usual::error(status)
    }

    /// A stream of events, to be given its steps.
    pub(crate) fn stream() -> Self {
        Self::chunked("text/event-stream; charset=utf-8")
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sends nothing, not even the head, until `gate` opens.
    pub(crate) fn held_by(mut self, gate: &Gate) -> Self {
        self.head = Some(gate.clone());
        self
    }

    pub(crate) fn send(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// Sends each byte in a chunk of its own.
    pub(crate) fn send_byte_by_byte(self, bytes: &str) -> Self {
        bytes.bytes().fold(self, |reply, byte| reply.send([byte]))
    }

    /// Sends the same over and over, with such pauses, for as long as the gateway listens.
    pub(crate) fn repeat(self, bytes: impl Into<Vec<u8>>, pause: Duration) -> Self {
        self.step(Step::Repeat(bytes.into(), pause))
    }

    pub(crate) fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Ends the connection in the middle of the body.
    pub(crate) fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Resets the connection. What is still under way is lost, so a test waits for it first.
    pub(crate) fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    fn step(mut self, step: Step) -> Self {
        match &mut self.body {
            Body::Chunked(steps) => steps.push(step),
            _ => panic!("only a stream has steps"),
        }
        self
    }
}

/// How a provider writes its events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    /// What ends a line.
    pub(crate) line_end: &'static str,
    /// Whether each event has an `event:` line.
    pub(crate) named: bool,
    /// Whether `[DONE]` ends the stream.
    pub(crate) done: bool,
}

impl Framing {
    /// As in OpenAI's specification.
    pub(crate) const PLAIN: Self = Self { line_end: "\n", named: false, done: false };

    pub(crate) fn event(self, data: &serde_json::Value) -> String {
        let name = match &data["type"] {
            serde_json::Value::String(kind) if self.named => format!("event: {kind}{}", self.line_end),
            _ => String::new(),
        };
        format!("{name}data: {data}{end}{end}", end = self.line_end)
    }

    /// All of `events`, and `[DONE]` if that is how this provider ends.
    pub(crate) fn all(self, events: &[serde_json::Value]) -> String {
        let done = if self.done { format!("data: [DONE]{end}{end}", end = self.line_end) } else { String::new() };
        events.iter().map(|event| self.event(event)).collect::<String>() + &done
    }
}
