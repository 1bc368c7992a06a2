use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::fair_share::Refused;

/// The maximum wait, longer than any thread of these tests is kept from running.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A pool of one thread whose turns report the name of their work, and wait for permission to end.
struct Held {
    pool: SpeechPool,
    report: mpsc::Sender<u32>,
    begun: mpsc::Receiver<u32>,
    go: mpsc::Sender<()>,
    may_go: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Held {
    fn new(max_queued: u64) -> Self {
        let (report, begun) = mpsc::channel();
        let (go, may_go) = mpsc::channel();
        let pool = SpeechPool::with(1, max_queued).unwrap();
        Self { pool, report, begun, go, may_go: Arc::new(Mutex::new(may_go)) }
    }

    /// Queues work of this many turns.
    fn queue(&self, place: Place, name: u32, turns: u32) -> Result<Running<u32>, SpeechError> {
        let (report, may_go, mut left) = (self.report.clone(), Arc::clone(&self.may_go), turns);
        self.pool.run(place, move |_| {
            // Nobody listens once the test is over.
            let _ = report.send(name);
            let _ = may_go.lock().unwrap().recv();
            left -= 1;
            (left == 0).then_some(name)
        })
    }

    fn begun(&self) -> u32 {
        self.begun.recv_timeout(MAX_WAIT).unwrap()
    }

    /// Lets the current turn end, and returns the next work.
    fn next(&self) -> u32 {
        self.go.send(()).unwrap();
        self.begun()
    }
}

fn caller(name: &str) -> Place {
    Place::New(ShareKey::of_caller(name))
}

#[tokio::test]
async fn callers_take_turns_and_so_do_the_recordings_of_one() {
    let held = Held::new(100);
    let mut first = held.queue(caller("first"), 1, 1).unwrap();
    assert_eq!(held.begun(), 1);
    let work = [("alice", 11, 3), ("alice", 12, 1), ("bob", 21, 2), ("alice", 13, 1)];
    let mut running: Vec<_> =
        work.iter().map(|&(name, number, turns)| held.queue(caller(name), number, turns).unwrap()).collect();
    let ThreadsLoad { queued, busy, threads, .. } = held.pool.load();
    assert_eq!((queued, busy, threads), (4, 1, 1));
    // A recording that needs another turn waits behind the others of its caller.
    let order: Vec<_> = (0..7).map(|_| held.next()).collect();
    assert_eq!(order, [11, 21, 12, 21, 13, 11, 11]);
    held.go.send(()).unwrap();
    assert_eq!(first.wait().await.unwrap(), 1);
    for (running, (_, number, _)) in running.iter_mut().zip(work) {
        assert_eq!(running.wait().await.unwrap(), number);
    }
}

#[tokio::test]
async fn a_full_queue_refuses_recordings_but_not_those_that_have_begun() {
    let held = Held::new(2);
    let mut begun = held.queue(caller("alice"), 1, 1).unwrap();
    assert_eq!(held.begun(), 1);
    let place = begun.place();
    let _others = [held.queue(caller("bob"), 2, 1).unwrap(), held.queue(caller("carol"), 3, 1).unwrap()];
    let refused = held.queue(caller("dora"), 4, 1);
    assert!(matches!(refused, Err(SpeechError::NoTurn(Refused::Exhausted))));
    assert_eq!(held.next(), 2);
    assert_eq!(begun.wait().await.unwrap(), 1);
    let _again = held.queue(place, 5, 1).unwrap();
    let _full = held.queue(place, 6, 1).unwrap();
    assert_eq!(held.pool.load().queued, 3);
    held.go.send(()).unwrap();
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_worked_on() {
    let held = Held::new(10);
    let running = held.queue(caller("alice"), 1, 1000).unwrap();
    assert_eq!(held.begun(), 1);
    let queued = held.queue(caller("bob"), 2, 1).unwrap();
    let mut last = held.queue(caller("carol"), 3, 1).unwrap();
    drop(queued);
    assert_eq!(held.pool.load().queued, 1);
    drop(running);
    assert_eq!(held.next(), 3);
    held.go.send(()).unwrap();
    assert_eq!(last.wait().await.unwrap(), 3);
    assert!(held.begun.try_recv().is_err(), "no other turn began");
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let held = Held::new(10);
    let mut running = held.queue(caller("alice"), 1, 1).unwrap();
    assert_eq!(held.begun(), 1);
    assert!(pin!(running.wait()).now_or_never().is_none());
    held.go.send(()).unwrap();
    assert_eq!(running.wait().await.unwrap(), 1);
}

#[tokio::test]
async fn a_panic_is_the_error_of_that_recording_alone() {
    let pool = SpeechPool::with(1, 10).unwrap();
    let mut broken = pool.run::<u32>(caller("alice"), |_| panic!("for this test")).unwrap();
    let mut sound = pool.run(caller("alice"), |_| Some(2)).unwrap();
    assert!(matches!(broken.wait().await, Err(SpeechError::BrokeOff)));
    assert_eq!(sound.wait().await.unwrap(), 2);
}

#[tokio::test]
async fn the_end_of_the_pool_ends_the_waiting() {
    let held = Held::new(10);
    let _first = held.queue(caller("alice"), 1, 2).unwrap();
    assert_eq!(held.begun(), 1);
    let mut queued = held.queue(caller("bob"), 2, 1).unwrap();
    let Held { pool, go, .. } = held;
    drop(pool);
    go.send(()).unwrap();
    assert!(matches!(queued.wait().await, Err(SpeechError::BrokeOff)));
}
