//! A provider that reads the whole of a form, checks that none of it is missing, and answers at once, or when it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::wire::{Head, Wire};

/// What is read at once.
const ROOM: usize = 128 * 1024;
/// Where the fields and the head of the recording are, if they are sent first as they must be.
const OPENING: usize = 4096;
/// What comes between the first event of a stream and the rest: who holds events back is found out.
const PAUSE: Duration = Duration::from_millis(20);

/// The seconds that each answer says were used.
pub(crate) const SECONDS: u64 = 2;

const ANSWER: &str =
    r#"{"text":"She had your dark suit in greasy wash water all year.","usage":{"type":"duration","seconds":2}}"#;
const FAILURE: &str = r#"{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}"#;
const FIRST: &str = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"She had your dark suit\"}\n\n";
const REST: &str = "data: {\"type\":\"transcript.text.done\",\"text\":\"She had your dark suit in greasy wash water all year.\",\
                    \"usage\":{\"type\":\"duration\",\"seconds\":2}}\n\ndata: [DONE]\n\n";

/// The provider, on a thread of its own.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    manner: Arc<Manner>,
}

/// How it answers, and how often it has.
#[derive(Default)]
struct Manner {
    /// Streams stop after their first event while this holds.
    holds: watch::Sender<bool>,
    /// One request in five fails.
    fails: AtomicBool,
    /// Said when connections that wait for a request are to be closed.
    closes: watch::Sender<()>,
    /// What it takes for the sound of live sessions, in milliseconds.
    thinks_ms: AtomicU64,
    /// What it has had of them.
    turns: Mutex<Vec<Turn>>,
    asked: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    reset: AtomicU64,
}

/// A piece of sound in FLAC, as those of live sessions are: when all of it had come, and when its answer went out.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) arrived: Instant,
    pub(crate) answered: Instant,
}

/// How often it was asked, and what came of it.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) reset: u64,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let manner = Arc::new(Manner::default());
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let shared = Arc::clone(&manner);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(socket).unwrap();
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    // A connection that its client ends is no fault of anybody's.
                    tokio::spawn(serve(socket, Arc::clone(&shared)));
                }
            });
        });
        Self { address, manner }
    }

    /// Whether streams stop after their first event.
    pub(crate) fn hold(&self, holds: bool) {
        self.manner.holds.send_replace(holds);
    }

    /// Whether one request in five fails.
    pub(crate) fn fail(&self, fails: bool) {
        self.manner.fails.store(fails, Ordering::Relaxed);
    }

    /// How long it takes for each piece of sound in FLAC.
    pub(crate) fn think(&self, time: Duration) {
        self.manner.thinks_ms.store(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// The pieces of sound in FLAC, as they were answered.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        self.manner.turns.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes the connections that wait for a request, so that whoever keeps them for the next one lets go of them.
    pub(crate) fn close_idle(&self) {
        self.manner.closes.send_replace(());
    }

    pub(crate) fn counts(&self) -> Counts {
        let Manner { answered, refused, reset, .. } = self.manner.as_ref();
        let [answered, refused, reset] = [answered, refused, reset].map(|count| count.load(Ordering::Relaxed));
        Counts { answered, refused, reset }
    }
}

async fn serve(socket: TcpStream, manner: Arc<Manner>) -> io::Result<()> {
    let mut wire = Wire::new(socket, ROOM)?;
    let mut closes = manner.closes.subscribe();
    loop {
        let head = tokio::select! {
            head = wire.head() => head?,
            _ = closes.changed() => None,
        };
        let Some(head) = head else { return Ok(()) };
        closes.mark_unchanged();
        let form = Form::read(&mut wire, &head).await?;
        let arrived = Instant::now();
        if let Some(fault) = form.fault(&head) {
            let body = format!(r#"{{"error":{{"message":"The bench's provider: {fault}"}}}}"#);
            wire.send(whole("400 Bad Request", &body).as_bytes()).await?;
            continue;
        }
        if form.is_flac() {
            manner.take_turn(arrived).await;
        }
        match manner.fate() {
            Fate::Answer if form.streamed => stream(&mut wire, &manner).await?,
            Fate::Answer => wire.send(whole("200 OK", ANSWER).as_bytes()).await?,
            Fate::Refuse => wire.send(whole("500 Internal Server Error", FAILURE).as_bytes()).await?,
            Fate::Reset => return wire.reset(),
        }
    }
}

enum Fate {
    Answer,
    Refuse,
    Reset,
}

impl Manner {
    /// Thinks, and keeps when that was.
    async fn take_turn(&self, arrived: Instant) {
        let thinking = Duration::from_millis(self.thinks_ms.load(Ordering::Relaxed));
        if !thinking.is_zero() {
            tokio::time::sleep(thinking).await;
        }
        let turn = Turn { arrived, answered: Instant::now() };
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).push(turn);
    }

    /// Whether the request that has come is one of those that fail. Every fourth of them is a reset.
    fn fate(&self) -> Fate {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let fails = self.fails.load(Ordering::Relaxed) && number % 5 == 4;
        let (fate, count) = match (fails, number % 20 == 19) {
            (false, _) => (Fate::Answer, &self.answered),
            (true, false) => (Fate::Refuse, &self.refused),
            (true, true) => (Fate::Reset, &self.reset),
        };
        count.fetch_add(1, Ordering::Relaxed);
        fate
    }
}

/// What has come of a form.
struct Form {
    opening: Vec<u8>,
    /// Its last bytes, a piece or two of them.
    ending: Vec<u8>,
    length: usize,
    streamed: bool,
}

impl Form {
    async fn read(wire: &mut Wire, head: &Head) -> io::Result<Self> {
        let (mut body, mut form) = (head.body(), Self::empty());
        while let Some(piece) = wire.piece(&mut body).await? {
            let room = OPENING - form.opening.len();
            form.opening.extend_from_slice(&piece[..piece.len().min(room)]);
            form.length += piece.len();
            if piece.len() >= Self::ENDING {
                form.ending.clear();
            }
            form.ending.extend_from_slice(&piece[piece.len().saturating_sub(Self::ENDING)..]);
        }
        form.streamed = memmem::find(&form.opening, b"name=\"stream\"\r\n\r\ntrue\r\n").is_some();
        Ok(form)
    }

    /// More than a closing boundary.
    const ENDING: usize = 256;

    fn empty() -> Self {
        Self { opening: Vec::new(), ending: Vec::new(), length: 0, streamed: false }
    }

    fn is_flac(&self) -> bool {
        memmem::find(&self.opening, b"\r\n\r\nfLaC").is_some()
    }

    /// What is wrong with it: it must have the recording in full, as its WAV head says, and end there. FLAC, in which pieces
    /// of a recording come, does not say how long it is.
    fn fault(&self, head: &Head) -> Option<String> {
        let boundary = head.header("content-type").and_then(|value| value.split_once("boundary="));
        let Some((_, boundary)) = boundary else { return Some("no boundary".to_owned()) };
        let end = format!("\r\n--{}--\r\n", boundary.trim_matches('"'));
        let is_whole = self.ending.ends_with(end.as_bytes());
        if is_whole && self.is_flac() {
            return None;
        }
        let Some(start) = memmem::find(&self.opening, b"RIFF") else { return Some("no recording".to_owned()) };
        let Some(size) = self.opening.get(start + 4..start + 8) else { return Some("no head of WAV".to_owned()) };
        let size = usize::try_from(u32::from_le_bytes(size.try_into().unwrap())).unwrap();
        let length = start + 8 + size + end.len();
        if self.length != length {
            return Some(format!("{} bytes instead of {length}", self.length));
        }
        (!is_whole).then(|| "no closing boundary".to_owned())
    }
}

fn whole(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn stream(wire: &mut Wire, manner: &Manner) -> io::Result<()> {
    // nginx holds a stream back until its buffer is full unless it is told not to.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-accel-buffering: no\r\n\
                transfer-encoding: chunked\r\n\r\n";
    wire.send(format!("{head}{:x}\r\n{FIRST}\r\n", FIRST.len()).as_bytes()).await?;
    let mut holds = manner.holds.subscribe();
    if *holds.borrow_and_update() {
        holds.wait_for(|holds| !holds).await.map_err(io::Error::other)?;
    } else {
        tokio::time::sleep(PAUSE).await;
    }
    wire.send(format!("{:x}\r\n{REST}\r\n0\r\n\r\n", REST.len()).as_bytes()).await
}
