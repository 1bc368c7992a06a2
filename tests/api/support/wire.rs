//! Bytes on a socket, for what no HTTP client would send.

use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::gateway::TRANSCRIPTIONS;
use crate::support::gateway::Heard;
use crate::support::poll::TIMEOUT;

/// A connection to the gateway. What it hears is kept with what the gateway's clients heard.
pub(crate) struct Wire {
    socket: TcpStream,
    read: Vec<u8>,
    heard: Heard,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr, heard: Heard) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), read: Vec::new(), heard }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends as much as the gateway takes before it closes.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) {
        let sent = timeout(TIMEOUT, self.socket.write_all(bytes)).await;
        // That it closed is an answer too.
        let _ = sent.expect("the gateway neither takes nor closes");
    }

    /// The next head: its first line and headers, as text.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(blank) = memmem::find(&self.read, b"\r\n\r\n") {
                let head = self.read.drain(..blank + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.more().await, "the connection ended before a head was there");
        }
    }

    /// Everything up to the end of the connection. A reset is an end.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// Everything until `text` was read.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(start) = memmem::find(&self.read, text.as_bytes()) {
                let read = self.read.drain(..start + text.len()).collect();
                return String::from_utf8(read).unwrap();
            }
            assert!(self.more().await, "the connection ended before {text:?} came");
        }
    }

    /// So many bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> String {
        while self.read.len() < count {
            assert!(self.more().await, "the connection ended before {count} bytes came");
        }
        String::from_utf8(self.read.drain(..count).collect()).unwrap()
    }

    async fn more(&mut self) -> bool {
        let before = self.read.len();
        let read = timeout(TIMEOUT, self.socket.read_buf(&mut self.read)).await;
        let read = read.expect("the gateway said nothing");
        self.heard.add(&self.read[before..]);
        read.is_ok_and(|bytes| bytes > 0)
    }
}

/// The head of a request, with `more` header lines.
pub(crate) fn request_head(token: &str, content_type: &str, length: usize, more: &str) -> String {
    format!(
        "POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}
