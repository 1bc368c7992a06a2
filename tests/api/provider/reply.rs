//! What the provider is told to do: the whole of a behaviour in one value.

use std::sync::Arc;

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
pub(super) enum Step {
    Send(Vec<u8>),
    Wait(Gate),
    Reset,
    Close,
}

pub(super) enum Body {
    /// With a `Content-Length`.
    Whole(Vec<u8>),
    /// With a `Content-Length` that is larger than the body.
    Short(Vec<u8>),
    /// In chunks, each sent when its step has come.
    Chunked(Vec<Step>),
}

/// An answer.
pub(crate) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
    /// Nothing is sent before this opens.
    pub(super) head: Option<Gate>,
}

impl Reply {
    pub(crate) fn whole(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body: Body::Whole(body.into()), head: None }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    /// A body that ends before its `Content-Length` says.
    pub(crate) fn cut_short(content_type: &str, body: &str) -> Self {
        Self { body: Body::Short(body.into()), ..Self::whole(200, content_type, "") }
    }

    /// A stream of events, to be given its steps.
    pub(crate) fn stream() -> Self {
        Self { body: Body::Chunked(Vec::new()), ..Self::whole(200, "text/event-stream; charset=utf-8", "") }
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
