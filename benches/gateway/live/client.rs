//! A client of a live session: one connection for its pieces, another for its events.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Buf, Bytes};
use memchr::memmem;
use serde_json::Value;

use crate::wire::Wire;

/// Answers and events are small.
const ROOM: usize = 4 * 1024;

/// A session that is open.
pub(super) struct Session {
    address: SocketAddr,
    token: String,
    id: String,
    next_seq: usize,
    wire: Wire,
}

/// When a piece was sent, and when it was answered.
pub(super) struct Sent {
    pub(super) whole: Instant,
    pub(super) answered: Instant,
}

/// The words of a session.
pub(super) struct Words {
    /// When each turn's came.
    pub(super) times: Vec<Instant>,
}

impl Session {
    pub(super) async fn open(address: SocketAddr, token: &str, wish: &'static str) -> Result<Self, String> {
        let wire = Wire::connect(address, ROOM).await.map_err(|error| format!("no connection: {error}"))?;
        let mut session = Self { address, token: token.to_owned(), id: String::new(), next_seq: 0, wire };
        let (status, body) = session.ask("POST", "", "Content-Type: application/json\r\n", wish.into()).await?.1;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let id = answer["id"].as_str().filter(|_| status == 201);
        let id = id.ok_or_else(|| format!("status {status}: {}", String::from_utf8_lossy(&body)))?;
        session.id = format!("/{id}");
        Ok(session)
    }

    /// Sends the next piece; an error unless it is taken.
    pub(super) async fn send(&mut self, piece: Bytes) -> Result<Sent, String> {
        let rest = format!("/audio?seq={}", self.next_seq);
        let (whole, (status, body)) = self.ask("POST", &rest, "", piece).await?;
        if status != 202 {
            return Err(format!("piece {}: status {status}: {}", self.next_seq, String::from_utf8_lossy(&body)));
        }
        self.next_seq += 1;
        Ok(Sent { whole, answered: Instant::now() })
    }

    pub(super) async fn end(&mut self) -> Result<(), String> {
        let (_, (status, _)) = self.ask("POST", "/end", "", Bytes::new()).await?;
        if status == 202 { Ok(()) } else { Err(format!("the end: status {status}")) }
    }

    /// Reads the events on a connection of its own, to the end; an error unless all goes well.
    pub(super) fn words(&self) -> impl Future<Output = Result<Words, String>> + use<> {
        let (address, request) = (self.address, self.head("GET", "/events", "", 0));
        async move {
            let broken = |error| format!("no events: {error}");
            let mut wire = Wire::connect(address, ROOM).await.map_err(broken)?;
            wire.send(request.as_bytes()).await.map_err(broken)?;
            let head = wire.head().await.map_err(broken)?.ok_or("no events: the connection was closed")?;
            if head.status() != 200 {
                return Err(format!("status {} instead of events", head.status()));
            }
            let (mut body, mut text, mut times) = (head.body(), Vec::new(), Vec::new());
            while let Some(piece) = wire.piece(&mut body).await.map_err(broken)? {
                text.extend_from_slice(piece);
                while let Some(end) = memmem::find(&text, b"\n\n") {
                    let event: Vec<_> = text.drain(..end + 2).collect();
                    let has = |word: &str| memmem::find(&event, word.as_bytes()).is_some();
                    if has("\"transcript.text.delta\"") {
                        times.push(Instant::now());
                    } else if has("\"error\"") {
                        return Err(String::from_utf8_lossy(&event).into_owned());
                    } else if has("data: [DONE]") {
                        return Ok(Words { times });
                    }
                }
            }
            Err("events that break off".to_owned())
        }
    }

    fn head(&self, method: &str, rest: &str, header: &str, length: usize) -> String {
        let Self { token, id, .. } = self;
        format!(
            "{method} /v1/live{id}{rest} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{header}\
             Content-Length: {length}\r\n\r\n"
        )
    }

    /// Sends a request; gives when it was sent, and the status and body of its answer.
    async fn ask(
        &mut self,
        method: &str,
        rest: &str,
        header: &str,
        body: Bytes,
    ) -> Result<(Instant, (u16, Vec<u8>)), String> {
        let broken = |error| format!("no answer: {error}");
        let head = Bytes::from(self.head(method, rest, header, body.len()));
        self.wire.send(head.chain(body)).await.map_err(broken)?;
        let sent = Instant::now();
        let head = self.wire.head().await.map_err(broken)?.ok_or("the connection was closed without an answer")?;
        let (mut framing, mut answer) = (head.body(), Vec::new());
        while let Some(piece) = self.wire.piece(&mut framing).await.map_err(broken)? {
            answer.extend_from_slice(piece);
        }
        Ok((sent, (head.status(), answer)))
    }
}
