//! Clients: each is a connection that is kept, and sends one request after the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Buf;
use futures_util::future::try_join_all;
use memchr::memmem;

use super::uploads::Upload;
use super::wire::{Body, Wire};

/// Answers are small.
const ROOM: usize = 4 * 1024;

/// What a slow client sends at once.
const BIT: usize = 64 * 1024;

/// One client. Errors are for a person to read: none may happen.
pub(crate) struct Client {
    address: SocketAddr,
    wire: Option<Wire>,
}

/// What came of one request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// From the first byte of the request to the first event of the answer, if it has one.
    pub(crate) first_event: Option<Duration>,
    /// To its last byte.
    pub(crate) whole: Duration,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, wire: None }
    }

    /// Sends a request of the caller of that number; an error where it has no answer.
    pub(crate) async fn ask(&mut self, upload: &Upload, caller: usize) -> Result<Answer, String> {
        let start = Instant::now();
        let wire = self.connected().await?;
        // Whoever refuses a request may close before all of it is sent; the answer says more than the error does.
        let sent = wire.send(upload.head(caller).chain(upload.body.clone())).await;
        let answer = self.answer(start).await;
        sent.map_err(|error| format!("the request could not be sent: {error}")).and(answer)
    }

    /// Sends a request bit by bit over `span`, as a client with a slow line does.
    pub(crate) async fn ask_slowly(
        &mut self,
        upload: &Upload,
        caller: usize,
        span: Duration,
    ) -> Result<Answer, String> {
        let start = Instant::now();
        let wire = self.connected().await?;
        let broken = |error| format!("the request could not be sent: {error}");
        wire.send(upload.head(caller)).await.map_err(broken)?;
        let count = u32::try_from(upload.body.len().div_ceil(BIT)).unwrap();
        for (number, bit) in (0..count).zip(upload.body.chunks(BIT)) {
            // One that is late makes up for it, as TCP would have it.
            tokio::time::sleep_until((start + span * number / count).into()).await;
            wire.send(bit).await.map_err(broken)?;
        }
        self.answer(start).await
    }

    /// Sends a request to be answered by a stream, and reads until its first event has come. What follows is left to
    /// [`Stream::finish`].
    pub(crate) async fn open(mut self, upload: &Upload, caller: usize) -> Result<Stream, String> {
        let broken = |error| format!("no stream: {error}");
        let request = upload.head(caller).chain(upload.body.clone());
        self.connected().await?.send(request).await.map_err(broken)?;
        let mut wire = self.wire.take().ok_or("not connected")?;
        let head = wire.head().await.map_err(broken)?.ok_or("the connection was closed without an answer")?;
        if head.status() != 200 {
            return Err(format!("status {} instead of a stream", head.status()));
        }
        let mut stream = Stream { framing: head.body(), text: Vec::new(), wire };
        while memmem::find(&stream.text, b"data:").is_none() {
            stream.read().await.map_err(broken)?.ok_or("a stream without an event")?;
        }
        Ok(stream)
    }

    async fn connected(&mut self) -> Result<&mut Wire, String> {
        if self.wire.is_none() {
            let wire = Wire::connect(self.address, ROOM).await;
            self.wire = Some(wire.map_err(|error| format!("no connection: {error}"))?);
        }
        Ok(self.wire.as_mut().unwrap())
    }

    /// Reads the answer to a request that began at `start`.
    async fn answer(&mut self, start: Instant) -> Result<Answer, String> {
        let broken = |error| format!("no whole answer: {error}");
        let mut wire = self.wire.take().ok_or("not connected")?;
        let head = wire.head().await.map_err(broken)?.ok_or("the connection was closed without an answer")?;
        let (mut framing, mut body, mut first_event) = (head.body(), Vec::new(), None);
        let streams = head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        while let Some(piece) = wire.piece(&mut framing).await.map_err(broken)? {
            body.extend_from_slice(piece);
            if streams && first_event.is_none() && memmem::find(&body, b"data:").is_some() {
                first_event = Some(start.elapsed());
            }
        }
        if !head.has("connection", "close") {
            self.wire = Some(wire);
        }
        Ok(Answer { status: head.status(), body, first_event, whole: start.elapsed() })
    }
}

/// An answer that has begun.
pub(crate) struct Stream {
    framing: Body,
    text: Vec<u8>,
    wire: Wire,
}

impl Stream {
    async fn read(&mut self) -> std::io::Result<Option<()>> {
        let piece = self.wire.piece(&mut self.framing).await?;
        Ok(piece.map(|piece| self.text.extend_from_slice(piece)))
    }

    /// Reads the rest; an error unless it ends as it must.
    pub(crate) async fn finish(mut self) -> Result<(), String> {
        while self.read().await.map_err(|error| format!("a stream that breaks off: {error}"))?.is_some() {}
        let whole = memmem::find(&self.text, b"transcript.text.done").is_some() && self.text.ends_with(b"[DONE]\n\n");
        if whole { Ok(()) } else { Err(format!("a stream cut short: {}", String::from_utf8_lossy(&self.text))) }
    }
}

impl Answer {
    /// An error unless it is a transcript.
    pub(crate) fn success(self) -> Result<Self, String> {
        if self.status == 200 && memmem::find(&self.body, b"She had your dark suit").is_some() {
            return Ok(self);
        }
        Err(format!("status {}: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// So many clients, each of which has had its first answer: connections are open, whatever is made once is made.
pub(crate) async fn clients(address: SocketAddr, upload: &Upload, count: usize) -> Result<Vec<Client>, String> {
    let clients = (0..count).map(|number| async move {
        let mut client = Client::new(address);
        client.ask(upload, number).await?.success()?;
        Ok::<_, String>(client)
    });
    try_join_all(clients).await
}

/// Has every client send one request after the other for `span`, for callers in turn, and waits for the last answers.
pub(crate) async fn keep_busy(clients: Vec<Client>, upload: &Upload, span: Duration) -> Result<Vec<Answer>, String> {
    let end = Instant::now() + span;
    let tasks = clients.into_iter().enumerate().map(|(number, mut client)| {
        let upload = upload.clone();
        tokio::spawn(async move {
            let (mut answers, mut caller) = (Vec::new(), number);
            while Instant::now() < end {
                answers.push(client.ask(&upload, caller).await?.success()?);
                // A step that leads past every one of a hundred.
                caller += 37;
            }
            Ok::<_, String>(answers)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap()?);
    }
    Ok(all)
}
