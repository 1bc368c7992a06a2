//! A provider that speaks OpenAI's protocol on a plain socket, so that it can also misspeak it.
//!
//! Each request is taken apart and checked ([`seen`]), then answered with the next [`Reply`] that a test has queued, or,
//! if there is none, as OpenAI would ([`usual`]). How far each has come can be waited for ([`upload`]).

mod connection;
mod reply;
mod seen;
mod upload;
mod usual;

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::support::poll::TIMEOUT;

pub(crate) use reply::{Framing, Gate, Reply};
pub(crate) use seen::{Expectations, Seen};
pub(crate) use upload::{End, Uploaded};
pub(crate) use usual::{TRANSCRIPT, answer, events, more_than_sockets_hold};

/// The key that the gateway is given and nobody else may ever see.
pub(crate) const KEY: &str = "sk-proj-0VoxgateTestKeyThatMustNeverBeSeen1";

/// What every key in these tests has in it.
pub(crate) const OF_EVERY_KEY: &str = "TestKeyThatMustNeverBeSeen";

/// Another key.
pub(crate) fn key(name: &str) -> String {
    format!("{name}-{OF_EVERY_KEY}")
}

/// Chooses the answer to a request.
type Judge = Box<dyn FnMut(&Seen) -> Reply + Send>;

/// What the tests and the provider's thread share.
struct State {
    expectations: Expectations,
    script: Mutex<VecDeque<Reply>>,
    /// What it says once the script is at its end, to requests with a key or to all.
    always: Mutex<HashMap<Option<String>, Reply>>,
    /// What it says to a request that nothing else was said to.
    by_request: Mutex<Option<Judge>>,
    seen: Mutex<Vec<Seen>>,
    faults: Mutex<Vec<String>>,
    /// How far each request has come, in the order of their heads.
    uploads: watch::Sender<Vec<Uploaded>>,
    /// How many requests were read.
    arrived: watch::Sender<usize>,
    /// How many times the gateway closed a connection on which it was being answered.
    hung_up: watch::Sender<usize>,
}

impl State {
    /// What the test wants said to a request.
    fn told(&self, asked: &Seen) -> Option<Reply> {
        let always = self.always.lock().unwrap();
        let by_key = self.expectations.key_of(asked).and_then(|key| always.get(&Some(key.to_owned())));
        let scripted = || self.script.lock().unwrap().pop_front();
        by_key.cloned().or_else(scripted).or_else(|| always.get(&None).cloned())
    }

    /// What the test says of a request that was read whole.
    fn judged(&self, seen: &Seen) -> Option<Reply> {
        self.by_request.lock().unwrap().as_mut().map(|judge| judge(seen))
    }
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
        Self::on(Expectations::default())
    }

    /// One that knows these keys.
    pub(crate) fn with_keys(keys: &[&str]) -> Self {
        Self::on(Expectations { keys: keys.iter().map(|key| (*key).to_owned()).collect(), ..Expectations::default() })
    }

    pub(crate) fn on(expectations: Expectations) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            expectations,
            script: Mutex::default(),
            always: Mutex::default(),
            by_request: Mutex::default(),
            seen: Mutex::default(),
            faults: Mutex::default(),
            uploads: watch::Sender::new(Vec::new()),
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

    /// Where it listens.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `OPENAI_BASE_URL` is set to.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Answers the next request that has no answer yet with `reply`.
    pub(crate) fn answer(&self, reply: Reply) {
        self.state.script.lock().unwrap().push_back(reply);
    }

    /// Answers every request like this that the script has no answer for.
    pub(crate) fn answer_always(&self, reply: Reply) {
        self.state.always.lock().unwrap().insert(None, reply);
    }

    /// Answers every request that has no other answer as `judge` says.
    pub(crate) fn answer_by(&self, judge: impl FnMut(&Seen) -> Reply + Send + 'static) {
        *self.state.by_request.lock().unwrap() = Some(Box::new(judge));
    }

    /// Answers every request with this key like this; `None`: as usual again.
    pub(crate) fn answer_key(&self, key: &str, reply: Option<Reply>) {
        let mut always = self.state.always.lock().unwrap();
        match reply {
            Some(reply) => always.insert(Some(key.to_owned()), reply),
            None => always.remove(&Some(key.to_owned())),
        };
    }

    /// Answers as usual again.
    pub(crate) fn recover(&self) {
        self.state.always.lock().unwrap().clear();
    }

    /// How many times it was asked, those included whose requests it did not read to their end.
    pub(crate) fn tries(&self) -> usize {
        *self.state.arrived.borrow()
    }

    /// The key of each request so far.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.all().iter().filter_map(|seen| self.state.expectations.key_of(seen).map(str::to_owned)).collect()
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
    let enough = timeout(TIMEOUT, counter.wait_for(|count| *count >= times)).await.is_ok();
    assert!(enough, "{} {what} where {times} were expected", *counter.borrow());
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the provider's thread panicked");
            assert!(self.faults().is_empty() || std::thread::panicking(), "it was asked wrongly: {:?}", self.faults());
        }
    }
}
