//! As much of HTTP/1.1 as the clients and the provider of this benchmark need, on bare sockets: what they take of the
//! processor is not there for what is measured.

use std::io;
use std::net::SocketAddr;

use bytes::Buf;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection with what was read ahead on it.
pub(crate) struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// The head of a request or an answer.
pub(crate) struct Head(String);

/// What is left of a body, and how its end is known.
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// The size of a chunk comes next.
    Size,
    /// So many bytes of the chunk that has begun.
    Chunk(u64),
    /// Nothing.
    Over,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream, room: usize) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: vec![0; room], start: 0, end: 0 })
    }

    pub(crate) async fn connect(address: SocketAddr, room: usize) -> io::Result<Self> {
        Self::new(TcpStream::connect(address).await?, room)
    }

    /// The next head; `None` where the other side has closed in good order.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = memmem::find(self.ready(), b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&self.ready()[..end]).into_owned();
                self.start += end + 4;
                return Ok(Some(Head(text)));
            }
            if self.read().await? == 0 {
                return if self.ready().is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// The next piece of a body, without its framing; `None` at its end.
    pub(crate) async fn piece(&mut self, body: &mut Body) -> io::Result<Option<&[u8]>> {
        loop {
            match body {
                Body::Over | Body::Length(0) => return Ok(None),
                Body::Chunk(0) => {
                    self.line().await?;
                    *body = Body::Size;
                }
                Body::Size => {
                    let line = self.line().await?;
                    let size = line.split(';').next().unwrap_or_default().trim();
                    let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                    *body = Body::Chunk(size);
                    if size == 0 {
                        while !self.line().await?.is_empty() {}
                        *body = Body::Over;
                    }
                }
                Body::Length(left) | Body::Chunk(left) => {
                    if self.ready().is_empty() {
                        self.more().await?;
                    }
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (start, count) = (self.start, self.ready().len().min(most));
                    *left -= u64::try_from(count).unwrap();
                    self.start += count;
                    return Ok(Some(&self.buffer[start..start + count]));
                }
            }
        }
    }

    /// Sends what may stand in several places, without joining it first.
    pub(crate) async fn send(&mut self, mut bytes: impl Buf) -> io::Result<()> {
        self.socket.write_all_buf(&mut bytes).await
    }

    /// Ends the connection as a provider that fails does: by a reset.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.socket.set_zero_linger()
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = memmem::find(self.ready(), b"\r\n") {
                let line = String::from_utf8_lossy(&self.ready()[..end]).into_owned();
                self.start += end + 2;
                return Ok(line);
            }
            self.more().await?;
        }
    }

    fn ready(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.read().await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.socket.read(&mut self.buffer[self.end..]).await?;
        self.end += count;
        Ok(count)
    }
}

impl Head {
    /// The status of an answer; 0 where that is none.
    pub(crate) fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.0.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
    }

    /// How its body is framed.
    pub(crate) fn body(&self) -> Body {
        if self.has("transfer-encoding", "chunked") {
            return Body::Size;
        }
        Body::Length(self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0))
    }
}
