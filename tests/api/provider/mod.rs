//! A provider that speaks OpenAI's protocol on a plain socket, so that it can also misspeak it.
//!
//! Each request is taken apart and checked ([`seen`]), then answered with the next [`Reply`] that a test has queued, or,
//! if there is none, as OpenAI would ([`usual`]).

mod connection;
mod reply;
mod seen;
mod usual;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

pub(crate) use reply::{Framing, Gate, Reply};
pub(crate) use seen::Seen;
pub(crate) use usual::{TRANSCRIPT, answer, events};

/// The key that the gateway is given and nobody else may ever see.
pub(crate) const KEY: &str = "sk-proj-0VoxgateTestKeyThatMustNeverBeSeen1";

/// Nothing on a loopback address takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the tests and the provider's thread share.
struct State {
    script: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    faults: Mutex<Vec<String>>,
    /// How many requests were read.
    arrived: watch::Sender<usize>,
    /// How many times the gateway closed a connection on which it was being answered.
    hung_up: watch::Sender<usize>,
}

/// A provider that runs until it is dropped.
pub(crate) struct Provider {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::default(),
            seen: Mutex::default(),
            faults: Mutex::default(),
            arrived: watch::Sender::new(0),
            hung_up: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = connection::accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// What `OPENAI_BASE_URL` is set to.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Answers the next request that has no answer yet with `reply`.
    pub(crate) fn answer(&self, reply: Reply) {
        self.state.script.lock().unwrap().push_back(reply);
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Seen {
        self.state.seen.lock().unwrap().last().cloned().expect("the provider was not asked")
    }

    /// Every request so far.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Waits until this many requests have arrived in all.
    pub(crate) async fn asked(&self, times: usize) {
        wait_for(&self.state.arrived, times, "requests").await;
    }

    /// Waits until the gateway has hung up this many times in all.
    pub(crate) async fn hung_up(&self, times: usize) {
        wait_for(&self.state.hung_up, times, "hang-ups").await;
    }

    /// What was wrong with the requests.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.state.faults.lock().unwrap().clone()
    }
}

async fn wait_for(counter: &watch::Sender<usize>, times: usize, what: &str) {
    let mut counter = counter.subscribe();
    let enough = timeout(PATIENCE, counter.wait_for(|count| *count >= times)).await.is_ok();
    assert!(enough, "{} {what} where {times} were expected", *counter.borrow());
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the provider's thread panicked");
        }
    }
}
