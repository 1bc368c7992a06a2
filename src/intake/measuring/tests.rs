use std::pin::Pin;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::domain::{AudioMs, Length};
use crate::intake::media::Container;
use crate::intake::spool::{SpoolQuota, SpoolWriter};

/// The maximum wait, longer than any thread of these tests is kept from running.
const MAX_WAIT: Duration = Duration::from_secs(30);

type Answer<'a> = Pin<Box<dyn Future<Output = Result<MediaInfo, IntakeError>> + 'a>>;

/// A pool whose threads report their recording (by its size) and wait for permission to continue.
struct Held {
    pool: MeasuringPool,
    begun: mpsc::Receiver<u64>,
    go: mpsc::Sender<()>,
}

fn info(bytes: u64) -> MediaInfo {
    MediaInfo {
        container: Container::Wav,
        is_fragmented: false,
        codec: None,
        length: Length::Measured(AudioMs::new(bytes)),
        bytes,
    }
}

fn held(threads: usize, max_queued: u64) -> Held {
    let (report, begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let measure = move |mut source: SpoolSource, bytes: u64| {
        report.send(bytes).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        std::io::Read::read(&mut source, &mut [0])?;
        Ok(info(bytes))
    };
    Held { pool: MeasuringPool::with(threads, max_queued, measure).unwrap(), begun, go }
}

impl Held {
    /// Queues a recording of this size.
    async fn queue(&self, key: ShareKey, bytes: usize) -> Answer<'_> {
        let spool = spool(bytes).await;
        let mut answer: Answer<'_> = Box::pin(async move { self.pool.measure(key, &spool).await });
        assert!(answer.as_mut().now_or_never().is_none(), "it is measured elsewhere");
        answer
    }

    fn begun(&self) -> u64 {
        self.begun.recv_timeout(MAX_WAIT).unwrap()
    }

    /// Lets the current measurement end, and returns the next recording.
    fn next(&self) -> u64 {
        self.go.send(()).unwrap();
        self.begun()
    }
}

async fn spool(bytes: usize) -> Spool {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = crate::config::Settings::load(Some(file.path())).unwrap();
    let quota = SpoolQuota::new(&settings.fixed.spool, settings.intake.max_audio_bytes);
    let mut writer = SpoolWriter::new(&quota, caller("anybody"), None).unwrap();
    writer.append(&vec![0; bytes]).await.unwrap();
    writer.finish().release()
}

fn caller(name: &str) -> ShareKey {
    ShareKey::of_caller(name)
}

#[tokio::test]
async fn callers_are_served_in_turn_and_so_are_the_sessions_of_one() {
    let held = held(1, 100);
    let mut answers = vec![held.queue(caller("first"), 1).await];
    assert_eq!(held.begun(), 1);
    let (one, two) = (ShareKey::of_session("shop", "one"), ShareKey::of_session("shop", "two"));
    let alice = caller("alice");
    for (key, bytes) in
        [(alice, 11), (alice, 12), (alice, 13), (one, 21), (one, 22), (one, 23), (two, 31), (caller("bob"), 41)]
    {
        answers.push(held.queue(key, bytes).await);
    }
    let ThreadsLoad { queued, busy, threads, .. } = held.pool.load();
    assert_eq!((queued, busy, threads), (8, 1, 1));
    let order: Vec<_> = (0..8).map(|_| held.next()).collect();
    assert_eq!(order, [11, 21, 41, 12, 31, 13, 22, 23]);
    held.go.send(()).unwrap();
    for answer in answers {
        let measured = answer.await.unwrap();
        assert_eq!(measured, info(measured.bytes));
    }
    assert_eq!((held.pool.load().queued, held.pool.load().busy), (0, 0));
}

#[tokio::test]
async fn one_caller_leaves_turns_to_others_and_what_finds_none_is_refused() {
    let held = held(1, 10);
    let mut answers = vec![held.queue(caller("alice"), 1).await];
    assert_eq!(held.begun(), 1);
    for bytes in 2..10 {
        answers.push(held.queue(caller("alice"), bytes).await);
    }
    let one_more = held.pool.measure(caller("alice"), &spool(10).await).await;
    assert!(matches!(one_more, Err(IntakeError::NoTurn(_))), "{one_more:?}");
    answers.push(held.queue(caller("bob"), 20).await);
    assert_eq!((held.next(), held.next()), (2, 20), "after one more of hers");
    drop(answers);
    assert_eq!(held.pool.load().queued, 0);
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_measured() {
    let held = held(1, 10);
    let running = held.queue(caller("alice"), 1).await;
    assert_eq!(held.begun(), 1);
    let queued = held.queue(caller("alice"), 2).await;
    let last = held.queue(caller("bob"), 3).await;
    drop(queued);
    assert_eq!(held.pool.load().queued, 1);
    // The source of this recording fails from now on, so that the thread finishes with it.
    drop(running);
    assert_eq!(held.next(), 3);
    held.go.send(()).unwrap();
    assert_eq!(last.await.unwrap(), info(3));
    assert_eq!(held.begun.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[tokio::test]
async fn a_recording_that_makes_the_measuring_panic_is_an_error_and_the_next_is_measured() {
    let measure = |_: SpoolSource, bytes: u64| if bytes == 1 { panic!("of one byte") } else { Ok(info(bytes)) };
    let pool = MeasuringPool::with(1, 10, measure).unwrap();
    assert!(matches!(pool.measure(caller("alice"), &spool(1).await).await, Err(IntakeError::Spool(_))));
    assert_eq!(pool.measure(caller("alice"), &spool(2).await).await.unwrap(), info(2));
}

#[tokio::test]
async fn nothing_is_measured_on_the_thread_that_asks_and_its_errors_are_the_callers() {
    let asking = thread::current().id();
    let measure = move |_: SpoolSource, _| {
        assert_ne!(thread::current().id(), asking);
        Err(MediaError::Empty)
    };
    let pool = MeasuringPool::with(2, 10, measure).unwrap();
    for bytes in [0, 1, 1000] {
        let measured = pool.measure(caller("alice"), &spool(bytes).await).await;
        assert!(matches!(measured, Err(IntakeError::Media(MediaError::Empty))), "{measured:?}");
    }
    assert!(MeasuringPool::new().unwrap().load().threads >= 1);
}
