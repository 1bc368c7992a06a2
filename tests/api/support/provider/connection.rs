//! HTTP/1.1, as far as the provider needs it, and every way to break it.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::reply::{Body, Gate, Reply, Step, Upload};
use super::upload::{Coming, End};
use super::{Seen, State, usual};
use crate::support::poll::let_pass;

pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        tokio::spawn(serve(socket, Arc::clone(&state)));
    }
}

/// What became of a connection.
enum Outcome {
    Open,
    Closed,
    /// The gateway closed it while it was being answered.
    HungUp,
}

async fn serve(mut socket: TcpStream, state: Arc<State>) {
    // A small answer must not wait for an acknowledgement: tests would be slow.
    let _ = socket.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Ok(Some(head)) = read_head(&mut socket, &mut buffer).await {
        let asked = Seen::of(&head, &[]);
        let told = state.told(&asked);
        let upload = told.as_ref().map_or(Upload::Read, |reply| reply.upload);
        let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let wanted = match upload {
            Upload::ResetAfter(bytes) | Upload::AnswerAfter(bytes) => bytes.min(length),
            Upload::Read | Upload::ReadAndReset => length,
        };
        let coming = state.coming(length);
        if !matches!(read_body(&mut socket, &mut buffer, wanted, &coming).await, Ok(true)) {
            coming.ended(End::GivenUp);
            return;
        }
        if wanted == length {
            coming.ended(End::Whole);
        }
        if upload == Upload::Read || upload == Upload::ReadAndReset {
            let body: Vec<u8> = buffer.drain(..length).collect();
            let seen = Seen::of(&head, &body);
            state.faults.lock().unwrap().extend(seen.faults(&state.expectations));
            state.seen.lock().unwrap().push(seen);
        }
        state.arrived.send_modify(|count| *count += 1);
        if matches!(upload, Upload::ReadAndReset | Upload::ResetAfter(_)) {
            if let Some(gate) = told.as_ref().and_then(|reply| reply.head.as_ref()) {
                opened(gate, &mut socket).await;
            }
            let _ = socket.set_zero_linger();
            return;
        }
        if matches!(upload, Upload::AnswerAfter(_)) {
            if let Some(reply) = told {
                let _ = play(reply, &mut socket).await;
            }
            // Whatever the gateway goes on to send: a reset would take the answer with it.
            let whole = matches!(read_body(&mut socket, &mut buffer, length, &coming).await, Ok(true));
            coming.ended(if whole { End::Whole } else { End::GivenUp });
            return;
        }
        let seen = state.seen.lock().unwrap().last().cloned().unwrap();
        let reply = told.or_else(|| state.judged(&seen)).unwrap_or_else(|| usual::reply(&seen));
        match play(reply, &mut socket).await {
            Ok(Outcome::Open) => {}
            Ok(Outcome::Closed) => return,
            Ok(Outcome::HungUp) | Err(_) => {
                state.hung_up.send_modify(|count| *count += 1);
                return;
            }
        }
    }
}

/// The next request's head; `None` at the end of the connection.
async fn read_head(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    let blank = loop {
        if let Some(blank) = memmem::find(buffer, b"\r\n\r\n") {
            break blank;
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..blank]).into_owned();
    buffer.drain(..blank + 4);
    Ok(Some(head))
}

/// Whether so many bytes of its body have come.
async fn read_body(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    length: usize,
    coming: &Coming<'_>,
) -> io::Result<bool> {
    coming.so_far(buffer.len());
    while buffer.len() < length {
        if socket.read_buf(buffer).await? == 0 {
            return Ok(false);
        }
        coming.so_far(buffer.len());
    }
    Ok(true)
}

async fn play(reply: Reply, socket: &mut TcpStream) -> io::Result<Outcome> {
    if let Some(gate) = &reply.head
        && !opened(gate, socket).await
    {
        return Ok(Outcome::HungUp);
    }
    let mut head = format!("HTTP/1.1 {} Whatever\r\n", reply.status);
    for (name, value) in &reply.headers {
        write!(head, "{name}: {value}\r\n").map_err(io::Error::other)?;
    }
    let length = match &reply.body {
        Body::Whole(body) => format!("content-length: {}\r\n\r\n", body.len()),
        Body::Declared(length, _) => format!("content-length: {length}\r\n\r\n"),
        Body::Short(body) => format!("content-length: {}\r\n\r\n", body.len() + 100),
        Body::Chunked(_) => "transfer-encoding: chunked\r\n\r\n".to_owned(),
    };
    socket.write_all((head + &length).as_bytes()).await?;
    match reply.body {
        Body::Whole(body) => {
            socket.write_all(&body).await?;
            Ok(Outcome::Open)
        }
        Body::Short(body) | Body::Declared(_, body) => {
            socket.write_all(&body).await?;
            Ok(Outcome::Closed)
        }
        Body::Chunked(steps) => stream(steps, socket).await,
    }
}

async fn stream(steps: Vec<Step>, socket: &mut TcpStream) -> io::Result<Outcome> {
    for step in steps {
        match step {
            Step::Send(bytes) => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
                socket.write_all(&chunk).await?;
                socket.flush().await?;
            }
            Step::Repeat(bytes, pause) => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
                loop {
                    socket.write_all(&chunk).await?;
                    let_pass(pause).await;
                }
            }
            Step::Wait(gate) if !opened(&gate, socket).await => return Ok(Outcome::HungUp),
            Step::Wait(_) => {}
            Step::Reset => {
                socket.set_zero_linger()?;
                return Ok(Outcome::Closed);
            }
            Step::Close => return Ok(Outcome::Closed),
        }
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(Outcome::Open)
}

/// Waits for the gate; `false` if the gateway went first. It sends nothing before it has its answer, so whatever can be
/// read is the end.
async fn opened(gate: &Gate, socket: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::select! {
        () = gate.opened() => true,
        _ = socket.read(&mut byte) => false,
    }
}
