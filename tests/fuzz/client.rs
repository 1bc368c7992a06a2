//! A client that keeps its connection, and reads no more of an answer than its status and its code.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

const BOUNDARY: &str = "damaged";
const MAX_ANSWER: usize = 1 << 20;

pub(crate) struct Client {
    address: String,
    connection: Option<TcpStream>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The `code` of an error, and the beginning of its message.
    pub(crate) code: String,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), connection: None }
    }

    /// Sends a recording, once more on a new connection where the gateway had closed the one that was kept.
    pub(crate) fn send(&mut self, recording: &[u8], token: &str) -> Result<Answer> {
        if let Some(kept) = self.connection.take()
            && let Ok(answer) = self.send_on(kept, recording, token)
        {
            return Ok(answer);
        }
        let connection = TcpStream::connect(&self.address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        self.send_on(connection, recording, token)
    }

    fn send_on(&mut self, mut connection: TcpStream, recording: &[u8], token: &str) -> Result<Answer> {
        let field = |name: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"");
        let before = format!("{}\r\n\r\ntext\r\n{}; filename=\"a\"\r\n\r\n", field("response_format"), field("file"));
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let head = format!(
            "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
            self.address,
            before.len() + recording.len() + after.len()
        );
        connection.write_all(&[head.as_bytes(), before.as_bytes(), recording, after.as_bytes()].concat())?;
        let mut said = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let count = connection.read(&mut piece)?;
            said.extend_from_slice(&piece[..count]);
            if let Some((status, body, keeps)) = whole(&said) {
                let code = code(body);
                self.connection = keeps.then_some(connection);
                return Ok(Answer { status, code });
            }
            if count == 0 || said.len() > MAX_ANSWER {
                return Err(Error::new(ErrorKind::UnexpectedEof, String::from_utf8_lossy(&said).into_owned()));
            }
        }
    }
}

/// The status, the body, and whether the connection goes on, once all of the answer is there.
fn whole(said: &[u8]) -> Option<(u16, &str, bool)> {
    let text = std::str::from_utf8(said).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let there = match length {
        Some(length) => body.len() >= length.trim().parse::<usize>().ok()?,
        None => body.ends_with("0\r\n\r\n"),
    };
    there.then_some((status, body, !head.contains("connection: close")))
}

/// An error's code, and its message as far as it is the same for many.
fn code(body: &str) -> String {
    let part = |name: &str| {
        let (_, rest) = body.split_once(&format!("\"{name}\":"))?;
        rest.trim_start().trim_start_matches('"').split(['"', '(']).next()
    };
    let message: String =
        part("message").unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).take(70).collect();
    format!("{} {}", part("code").unwrap_or_default(), message.trim())
}
