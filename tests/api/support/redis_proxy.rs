//! A proxy before a Redis, which delays answers or loses them with their connection.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::redis_server::Server;

/// A port that leads to a Redis.
pub(crate) struct RedisProxy {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    /// Whether answers are held up.
    held: watch::Sender<bool>,
    /// How many answers are still to be lost, each with its connection, and how they begin.
    cuts: Mutex<(usize, &'static [u8])>,
    /// How many were.
    lost: watch::Sender<usize>,
    /// All that was asked.
    questions: Mutex<Vec<u8>>,
}

impl RedisProxy {
    pub(crate) async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (port, redis) = (listener.local_addr().unwrap().port(), server.port());
        let state = Arc::new(State {
            held: watch::Sender::new(false),
            cuts: Mutex::default(),
            lost: watch::Sender::new(0),
            questions: Mutex::default(),
        });
        let accepting = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, redis)).await else { continue };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::spawn(questions(from_client, to_server, Arc::clone(&state)));
                    tokio::spawn(answers(from_server, to_client, Arc::clone(&state)));
                }
            }
        });
        Self { port, state, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// From now on questions arrive and answers do not.
    pub(crate) fn hold_answers(&self) {
        self.state.held.send_replace(true);
    }

    pub(crate) fn release_answers(&self) {
        self.state.held.send_replace(false);
    }

    /// The next answers that begin so are lost, each with its connection.
    pub(crate) fn lose_answers(&self, count: usize, beginning: &'static [u8]) {
        *self.state.cuts.lock().unwrap() = (count, beginning);
    }

    /// How often `name` was part of what was asked.
    pub(crate) fn questions_about(&self, name: &str) -> usize {
        memmem::find_iter(&self.state.questions.lock().unwrap(), name.as_bytes()).count()
    }

    /// Waits until so many answers were lost.
    pub(crate) async fn has_lost(&self, count: usize) {
        self.state.lost.subscribe().wait_for(|lost| *lost >= count).await.unwrap();
    }
}

impl State {
    /// Whether an answer is one to be lost.
    fn cuts(&self, answer: &[u8]) -> bool {
        let (count, beginning) = &mut *self.cuts.lock().unwrap();
        let is_one = *count > 0 && answer.starts_with(beginning);
        *count -= usize::from(is_one);
        is_one
    }
}

impl Drop for RedisProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        state.questions.lock().unwrap().extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut held = state.held.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if state.cuts(&buffer[..length]) {
            state.lost.send_modify(|lost| *lost += 1);
            return;
        }
        let _ = held.wait_for(|held| !held).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
