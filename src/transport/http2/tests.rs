//! The HTTP/2 server over streams in memory, with paused time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Request, Response};
use actix_service::fn_service;
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::test::TestRequest;
use bytes::Bytes;
use futures_util::FutureExt;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use tokio::io::duplex;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use super::{Client, serve};
use crate::transport::limits::{DRAIN_GRACE, LINGERING_CLOSE, TimeLimits};
use crate::transport::open_connections::OpenConnections;

const LIMITS: TimeLimits =
    TimeLimits { keep_alive: Duration::from_secs(75), head: Duration::from_secs(10), write: Duration::from_secs(30) };

/// More than any time limit.
const FOREVER: Duration = Duration::from_hours(1);

/// The window that a client grants each of its streams.
const WINDOW_BYTES: u32 = 1024;

/// A server for one connection. `/large` has an answer of four windows, `/wait` waits, `/long/…` too.
struct TestServer {
    go_on: Notify,
    handling: Cell<usize>,
    called: RefCell<Vec<String>>,
    shutdown: watch::Sender<bool>,
    connections: Arc<OpenConnections>,
}

/// A handler that runs.
struct Handling(Rc<TestServer>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.handling.set(self.0.handling.get() - 1);
    }
}

impl TestServer {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            go_on: Notify::new(),
            handling: Cell::new(0),
            called: RefCell::default(),
            shutdown: watch::Sender::new(false),
            connections: OpenConnections::new(1, None),
        })
    }

    async fn handle(self: Rc<Self>, request: Request) -> Result<ServiceResponse<BoxBody>, Response<BoxBody>> {
        self.handling.set(self.handling.get() + 1);
        let handling = Handling(self);
        handling.0.called.borrow_mut().push(request.path().to_owned());
        let body = match request.path() {
            "/large" => "x".repeat(4 * WINDOW_BYTES as usize),
            "/wait" => {
                handling.0.go_on.notified().await;
                "waited".to_owned()
            }
            path => path.to_owned(),
        };
        Ok(ServiceResponse::new(TestRequest::default().to_http_request(), HttpResponse::Ok().body(body)))
    }

    /// Connects a client. Returns its side, and the task that ends with its connection.
    async fn connect(self: &Rc<Self>) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let (client, stream) = duplex(1 << 20);
        let this = Rc::clone(self);
        spawn_local(async move {
            let open = this.connections.enter(None).unwrap();
            let mut shutdown = this.shutdown.subscribe();
            let shutdown = async {
                let _ = shutdown.wait_for(|shutdown| *shutdown).await;
            };
            let handler = Rc::clone(&this);
            let application = Rc::new(fn_service(move |request| Rc::clone(&handler).handle(request)));
            let _ = serve(stream, Client { peer: None, open: &open }, &application, LIMITS, shutdown).await;
        });
        let (requests, connection) =
            Builder::new().initial_window_size(WINDOW_BYTES).handshake::<_, Bytes>(client).await.unwrap();
        (requests, spawn_local(connection))
    }
}

fn get(path: &str) -> http::Request<()> {
    http::Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

/// Sends a request without a body, and returns its answer's body once the head has come.
async fn ask(requests: &SendRequest<Bytes>, path: &str) -> RecvStream {
    let mut requests = requests.clone().ready().await.unwrap();
    let (answer, _) = requests.send_request(get(path), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// Reads a body to its end, and lets the gateway send more all the while.
async fn read_all(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut all = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn seconds(time: Duration) -> u64 {
    (time + Duration::from_millis(5)).as_secs()
}

macro_rules! over_http2 {
    ($(async fn $name:ident($server:ident, $requests:ident, $connection:ident) $body:block)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            let $server = TestServer::new();
            LocalSet::new().run_until(async move {
                #[allow(unused_mut, clippy::used_underscore_binding, reason = "not every test uses both")]
                let (mut $requests, $connection) = $server.connect().await;
                $body
            }).await;
        }
    )*};
}

over_http2! {
    async fn a_head_that_is_too_large_reaches_no_handler_and_leaves_the_others(server, requests, _connection) {
        let mut request = get("/huge");
        let value = http::HeaderValue::from_str(&"x".repeat(70_000)).unwrap();
        request.headers_mut().insert("x-filler", value);
        let (answer, _) = requests.send_request(request, true).unwrap();
        let refused = answer.await;
        assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status() == 431));
        assert_eq!(read_all(ask(&requests, "/next").await).await.unwrap(), b"/next");
        assert_eq!(*server.called.borrow(), ["/next"]);
    }

    async fn a_stream_without_a_window_is_reset_and_the_others_run_on(server, requests, _connection) {
        let (stalled, since) = (ask(&requests, "/large").await, Instant::now());
        for _ in 0..5 {
            let whole = read_all(ask(&requests, "/large").await).await.unwrap();
            assert_eq!(whole.len(), 4 * WINDOW_BYTES as usize);
        }
        assert_eq!(seconds(since.elapsed()), 0, "nobody waits for the stalled stream");
        let mut stalled = stalled;
        let first = stalled.data().await.unwrap().unwrap();
        assert_eq!(first.len(), WINDOW_BYTES as usize);
        let error = timeout(FOREVER, stalled.data()).await.expect("it stalls for ever").unwrap().unwrap_err();
        assert_eq!((error.reason(), seconds(since.elapsed())), (Some(Reason::CANCEL), LIMITS.write.as_secs()));
        assert_eq!(read_all(ask(&requests, "/next").await).await.unwrap(), b"/next");
        assert_eq!(server.handling.get(), 0);
    }

    async fn a_client_that_reads_slowly_keeps_its_stream(_server, requests, _connection) {
        let (mut body, mut all) = (ask(&requests, "/large").await, 0);
        while let Some(chunk) = body.data().await {
            let length = chunk.unwrap().len();
            all += length;
            sleep(LIMITS.write * 9 / 10).await;
            body.flow_control().release_capacity(length).unwrap();
        }
        assert_eq!(all, 4 * WINDOW_BYTES as usize);
    }

    async fn a_client_that_lets_go_of_a_stream_ends_its_request_alone(server, requests, _connection) {
        let (kept, _) = requests.send_request(get("/wait"), true).unwrap();
        let (dropped, mut stream) = requests.send_request(get("/wait"), true).unwrap();
        sleep(Duration::from_millis(10)).await;
        assert_eq!(server.handling.get(), 2);
        stream.send_reset(Reason::CANCEL);
        drop(dropped);
        sleep(Duration::from_millis(10)).await;
        assert_eq!(server.handling.get(), 1);
        server.go_on.notify_waiters();
        assert_eq!(read_all(kept.await.unwrap().into_body()).await.unwrap(), b"waited");
    }

    async fn a_client_that_leaves_takes_its_requests_with_it(server, requests, connection) {
        let (_first, _) = requests.send_request(get("/wait"), true).unwrap();
        sleep(Duration::from_millis(10)).await;
        assert_eq!(server.handling.get(), 1);
        connection.abort();
        sleep(Duration::from_millis(10)).await;
        assert_eq!(server.handling.get(), 0);
    }

    async fn an_answer_before_the_end_of_the_body_leaves_the_client_some_seconds(_server, requests, _connection) {
        let (answer, mut upload) = requests.send_request(get("/early"), false).unwrap();
        let (answer, since) = (answer.await.unwrap(), Instant::now());
        assert_eq!(read_all(answer.into_body()).await.unwrap(), b"/early");
        sleep(LINGERING_CLOSE / 2).await;
        upload.send_data(Bytes::from_static(b"more of it"), false).unwrap();
        assert!(poll_fn(|cx| upload.poll_reset(cx)).now_or_never().is_none(), "it may still send");
        timeout(FOREVER, poll_fn(|cx| upload.poll_reset(cx))).await.expect("it may send for ever").unwrap();
        assert_eq!(seconds(since.elapsed()), LINGERING_CLOSE.as_secs());
    }

    async fn at_shutdown_requests_are_answered_and_no_others_begin(server, requests, connection) {
        let (answer, _) = requests.send_request(get("/wait"), true).unwrap();
        sleep(Duration::from_millis(10)).await;
        server.shutdown.send_replace(true);
        sleep(FOREVER / 2).await;
        assert!(requests.clone().ready().await.is_err(), "GOAWAY came");
        server.go_on.notify_waiters();
        assert_eq!(read_all(answer.await.unwrap().into_body()).await.unwrap(), b"waited");
        drop(requests);
        let since = Instant::now();
        let _ = timeout(FOREVER, connection).await.expect("the connection stays open");
        assert!(since.elapsed() <= DRAIN_GRACE, "{:?}", since.elapsed());
    }

    async fn an_idle_connection_is_asked_to_leave_and_then_closed(server, requests, connection) {
        let since = Instant::now();
        read_all(ask(&requests, "/first").await).await.unwrap();
        sleep(LIMITS.keep_alive.saturating_sub(Duration::from_secs(1))).await;
        read_all(ask(&requests, "/second").await).await.unwrap();
        let _ = timeout(FOREVER, connection).await.expect("the connection stays open");
        let longest = LIMITS.keep_alive * 2 + DRAIN_GRACE;
        assert!(since.elapsed() >= (LIMITS.keep_alive * 2).saturating_sub(Duration::from_secs(2)) && since.elapsed() <= longest);
        assert!(requests.ready().await.is_err());
        assert_eq!(server.called.borrow().len(), 2);
    }

    async fn a_connection_without_a_request_is_idle(server, requests, _connection) {
        let (answer, _) = requests.send_request(get("/wait"), true).unwrap();
        sleep(Duration::from_millis(10)).await;
        assert!(server.connections.enter(None).is_none(), "a request is in progress");
        server.go_on.notify_waiters();
        read_all(answer.await.unwrap().into_body()).await.unwrap();
        sleep(Duration::from_millis(10)).await;
        assert!(server.connections.enter(None).is_some(), "it makes room");
    }
}
