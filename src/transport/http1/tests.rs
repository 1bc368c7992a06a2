//! The HTTP/1 server over streams in memory, with paused time: what each side sees, and after how long.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Protocol, Request, Response};
use actix_service::{Service, fn_service};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::test::TestRequest;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::domain::Scheme;
use crate::transport::limits::{DRAIN_GRACE, LINGERING_CLOSE, TimeLimits};
use crate::transport::open_connections::OpenConnections;

const LIMITS: TimeLimits =
    TimeLimits { keep_alive: Duration::from_secs(75), head: Duration::from_secs(10), write: Duration::from_secs(30) };

/// More than any time limit.
const FOREVER: Duration = Duration::from_hours(1);

/// A server for one connection, which answers each request with its path and its body.
struct TestServer {
    /// The bodies that the handler has read, as it saw them end.
    seen: RefCell<Vec<Result<String, String>>>,
    /// Lets a request for `/wait` go on.
    go_on: Notify,
    /// True while a handler runs.
    is_handling: Cell<bool>,
    shutdown: watch::Sender<bool>,
    connections: Arc<OpenConnections>,
}

impl TestServer {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            seen: RefCell::default(),
            go_on: Notify::new(),
            is_handling: Cell::new(false),
            shutdown: watch::Sender::new(false),
            connections: OpenConnections::new(10, None),
        })
    }

    async fn handle(self: Rc<Self>, mut request: Request) -> Result<ServiceResponse<BoxBody>, Response<BoxBody>> {
        let _handling = Handling::begin(&self);
        let (path, version) = (request.path().to_owned(), request.version());
        let respond = |text: String| {
            let request = TestRequest::default().version(version).to_http_request();
            Ok(ServiceResponse::new(request, HttpResponse::Ok().body(text)))
        };
        match path.as_str() {
            "/refuse" => return respond("refused".to_owned()),
            "/refuse_late" => {
                tokio::task::yield_now().await;
                return respond("refused".to_owned());
            }
            "/wait" => self.go_on.notified().await,
            _ => {}
        }
        let mut payload = request.take_payload();
        let mut body = Vec::new();
        let mut end = Ok(());
        while let Some(chunk) = payload.next().await {
            match chunk {
                Ok(chunk) => body.extend_from_slice(&chunk),
                Err(error) => {
                    end = Err(error.to_string());
                    break;
                }
            }
        }
        let body = String::from_utf8(body).unwrap();
        self.seen.borrow_mut().push(end.map(|()| body.clone()));
        respond(format!("{path} {body}"))
    }

    /// Connects a client; the connection ends with its task.
    async fn connect(self: &Rc<Self>) -> DuplexStream {
        let (client, stream) = duplex(1 << 20);
        let this = Rc::clone(self);
        let application = Rc::new(fn_service(move |request| Rc::clone(&this).handle(request)));
        let decide = || {
            async |request: Request| match request.path() {
                "/refuse" => Err(Response::ok().set_body(BoxBody::new("refused before"))),
                _ => Ok(request),
            }
        };
        let shutdown = self.shutdown.subscribe();
        let server = server(application, decide, move || {
            let mut shutdown = shutdown.clone();
            async move {
                let _ = shutdown.wait_for(|shutdown| *shutdown).await;
            }
        });
        let server = server.await.unwrap();
        let connection = Rc::new(Http1Connection::new(self.connections.enter(None).unwrap()));
        let refuse: Refuse = Arc::new(|fault, _| format!("HTTP/1.1 400 {fault}\r\n\r\n").into_bytes());
        let watchdog = Http1Watchdog::new(stream, Scheme::Http, connection, LIMITS, refuse);
        tokio::task::spawn_local(async move {
            let _ = server.call((watchdog, Protocol::Http1, None)).await;
        });
        client
    }
}

/// A handler that runs.
struct Handling(Rc<TestServer>);

impl Handling {
    fn begin(server: &Rc<TestServer>) -> Self {
        server.is_handling.set(true);
        Self(Rc::clone(server))
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.is_handling.set(false);
    }
}

/// Reads what the gateway sends until it closes, and for how long that took.
async fn read_to_end(client: &mut DuplexStream) -> (String, Duration) {
    let (since, mut all) = (Instant::now(), Vec::new());
    timeout(FOREVER, client.read_to_end(&mut all)).await.expect("the connection stays open").unwrap();
    (String::from_utf8(all).unwrap(), since.elapsed())
}

/// Reads until the text has come.
async fn read_until(client: &mut DuplexStream, text: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(text.as_bytes()) {
        let byte = timeout(FOREVER, client.read_u8()).await.expect("nothing more comes");
        all.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&all))));
    }
    String::from_utf8(all).unwrap()
}

/// Returns a request with a body of a known length.
fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Rounds to the resolution of tokio's timers.
fn seconds(time: Duration) -> u64 {
    (time + Duration::from_millis(5)).as_secs()
}

macro_rules! over_http1 {
    ($(async fn $name:ident($server:ident) $body:block)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            let $server = TestServer::new();
            LocalSet::new().run_until(async move $body).await;
        }
    )*};
}

over_http1! {
    async fn a_connection_that_sends_nothing_is_closed_without_an_answer(server) {
        let mut client = server.connect().await;
        let (answer, after) = read_to_end(&mut client).await;
        assert_eq!((answer.as_str(), seconds(after)), ("", LIMITS.head.as_secs()));
    }

    async fn a_head_that_never_ends_gets_one_clear_answer(server) {
        let mut client = server.connect().await;
        sleep(LIMITS.head / 2).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
        // More bytes give it no more time.
        let writes = async {
            for _ in 0..8 {
                sleep(Duration::from_secs(1)).await;
                let _ = client.write_all(b"a").await;
            }
        };
        writes.await;
        let (answer, after) = read_to_end(&mut client).await;
        assert!(answer.contains("did not arrive in time"), "{answer}");
        assert_eq!(seconds(after), LIMITS.head.as_secs() - 8, "the time runs from the first byte");
    }

    async fn an_idle_connection_is_closed_after_keep_alive_and_a_new_head_gets_its_own_time(server) {
        let mut client = server.connect().await;
        client.write_all(post("/a", "one").as_bytes()).await.unwrap();
        read_until(&mut client, "/a one").await;
        sleep(LIMITS.keep_alive.saturating_sub(Duration::from_secs(1))).await;
        client.write_all(post("/b", "two").as_bytes()).await.unwrap();
        read_until(&mut client, "/b two").await;
        let (rest, after) = read_to_end(&mut client).await;
        assert_eq!((rest.as_str(), seconds(after)), ("", LIMITS.keep_alive.as_secs()));
    }

    async fn a_head_that_begins_late_in_keep_alive_has_the_time_of_a_head(server) {
        let mut client = server.connect().await;
        client.write_all(post("/a", "").as_bytes()).await.unwrap();
        read_until(&mut client, "/a ").await;
        sleep(LIMITS.keep_alive.saturating_sub(Duration::from_secs(1))).await;
        client.write_all(b"GET /b HTTP").await.unwrap();
        sleep(LIMITS.head.saturating_sub(Duration::from_secs(1))).await;
        client.write_all(b"/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        read_until(&mut client, "/b ").await;
    }

    async fn a_slow_body_is_the_matter_of_its_handler(server) {
        let mut client = server.connect().await;
        let request = post("/slow", "0123456789");
        let (begin, end) = request.split_at(request.len() - 4);
        client.write_all(begin.as_bytes()).await.unwrap();
        for byte in end.as_bytes() {
            sleep(LIMITS.keep_alive * 2).await;
            client.write_all(&[*byte]).await.unwrap();
        }
        read_until(&mut client, "/slow 0123456789").await;
    }

    async fn a_refused_upload_gets_its_answer_and_a_few_seconds_more(server) {
        let mut client = server.connect().await;
        client.write_all(b"POST /refuse HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\nbegin").await.unwrap();
        let answer = read_until(&mut client, "refused").await;
        assert!(answer.contains("connection: close"), "{answer}");
        sleep(LINGERING_CLOSE / 2).await;
        client.write_all(b"more of it").await.unwrap();
        let (rest, after) = read_to_end(&mut client).await;
        assert_eq!((rest.as_str(), seconds(after + LINGERING_CLOSE / 2)), ("", LINGERING_CLOSE.as_secs()));
    }

    async fn a_refused_upload_that_has_come_whole_keeps_its_connection(server) {
        let mut client = server.connect().await;
        client.write_all(post("/refuse_late", "all of it").as_bytes()).await.unwrap();
        let answer = read_until(&mut client, "refused").await;
        assert!(!answer.contains("connection: close"), "{answer}");
        client.write_all(post("/next", "").as_bytes()).await.unwrap();
        read_until(&mut client, "/next ").await;
    }

    async fn a_client_that_asks_first_is_refused_before_its_body_and_may_send_nothing_more(server) {
        let mut client = server.connect().await;
        let head = "POST /refuse HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        let (answer, after) = read_to_end(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("refused before"), "{answer}");
        assert_eq!(seconds(after), LINGERING_CLOSE.as_secs());
        let mut client = server.connect().await;
        client.write_all(head.replace("/refuse", "/take").as_bytes()).await.unwrap();
        read_until(&mut client, "100 Continue\r\n\r\n").await;
        client.write_all(b"the audio").await.unwrap();
        read_until(&mut client, "/take the audio").await;
    }

    async fn a_body_is_whole_however_its_bytes_arrive(server) {
        let chunked = "POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                       4\r\nwhol\r\n1;x=y\r\ne\r\n0\r\nx-sum: 1\r\n\r\n";
        let requests = ["GET /next HTTP/1.1\r\nhost: a\r\n\r\n", chunked, &post("/c", "all")].concat();
        let body = "/b whole".to_owned();
        for at in 0..requests.len() {
            let mut client = server.connect().await;
            let (begin, end) = requests.split_at(at);
            client.write_all(begin.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(10)).await;
            client.write_all(end.as_bytes()).await.unwrap();
            let answers = read_until(&mut client, "/c all").await;
            let (first, rest) = answers.split_once("/next ").expect("the first is answered first");
            assert!(first.starts_with("HTTP/1.1 200") && rest.contains(&body), "split at {at}: {answers}");
        }
    }

    async fn large_bodies_pass_whole_in_every_framing(server) {
        let body: String = (0..40_000_u32).map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap())).collect();
        let tenth = body.as_bytes().chunks(4001).map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap()));
        let chunked = format!("POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", tenth.collect::<String>());
        let one_chunk = format!("POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        for request in [post("/b", &body), chunked, one_chunk] {
            for piece in [777, 8192, 8193, 65_536] {
                let mut client = server.connect().await;
                let next = format!("{request}{}", post("/next", ""));
                for piece in next.as_bytes().chunks(piece) {
                    client.write_all(piece).await.unwrap();
                    sleep(Duration::from_millis(1)).await;
                }
                read_until(&mut client, "/next ").await;
                assert_eq!(server.seen.borrow_mut().drain(..).next(), Some(Ok(body.clone())), "in pieces of {piece}");
                server.seen.borrow_mut().clear();
            }
        }
    }

    async fn a_body_that_breaks_its_chunks_ends_in_an_error(server) {
        let mut client = server.connect().await;
        let head = "POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\n4\r\nworse\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        read_to_end(&mut client).await;
        assert!(matches!(server.seen.borrow().as_slice(), [Err(_)]), "{:?}", server.seen);
    }

    async fn a_client_that_leaves_takes_its_request_with_it(server) {
        let mut client = server.connect().await;
        client.write_all(post("/wait", "").as_bytes()).await.unwrap();
        sleep(Duration::from_millis(10)).await;
        assert!(server.is_handling.get());
        drop(client);
        sleep(Duration::from_millis(10)).await;
        assert!(!server.is_handling.get());
    }

    async fn what_is_sent_ahead_is_bounded(server) {
        let mut client = server.connect().await;
        client.write_all(post("/wait", "").as_bytes()).await.unwrap();
        client.write_all(&vec![b'x'; 100_000]).await.unwrap();
        assert_eq!(read_to_end(&mut client).await.0, "");
        assert!(!server.is_handling.get());
    }

    async fn requests_sent_ahead_are_answered_in_order_before_the_refusal_of_an_invalid_one(server) {
        let mut client = server.connect().await;
        let requests = [post("/wait", "one"), post("/two", "two"), "no request\r\n\r\n".to_owned()].concat();
        client.write_all(requests.as_bytes()).await.unwrap();
        sleep(FOREVER / 2).await;
        server.go_on.notify_one();
        let (answers, _) = read_to_end(&mut client).await;
        let places = ["/wait one", "/two two", "HTTP/1.1 400"].map(|text| answers.find(text).expect(text));
        assert!(places.is_sorted(), "{answers}");
    }

    async fn at_shutdown_an_idle_client_leaves_at_once_and_a_busy_one_after_its_answer(server) {
        let (mut idle, mut busy) = (server.connect().await, server.connect().await);
        idle.write_all(post("/a", "").as_bytes()).await.unwrap();
        read_until(&mut idle, "/a ").await;
        busy.write_all(post("/wait", "one").as_bytes()).await.unwrap();
        sleep(Duration::from_millis(10)).await;
        server.shutdown.send_replace(true);
        let (rest, after) = read_to_end(&mut idle).await;
        assert_eq!(rest, "");
        assert!(after <= DRAIN_GRACE, "{after:?}");
        assert!(busy.read_u8().now_or_never().is_none(), "it waits for its answer");
        server.go_on.notify_one();
        let (answer, _) = read_to_end(&mut busy).await;
        assert!(answer.contains("connection: close") && answer.ends_with("/wait one"), "{answer}");
    }

    async fn a_connection_counts_as_idle_once_its_answer_is_sent(server) {
        let connections = OpenConnections::new(1, None);
        let server = Rc::new(TestServer { connections, ..Rc::into_inner(server).unwrap() });
        let mut client = server.connect().await;
        client.write_all(post("/wait", "").as_bytes()).await.unwrap();
        sleep(Duration::from_millis(10)).await;
        assert!(server.connections.enter(None).is_none(), "a request is in progress");
        server.go_on.notify_one();
        read_until(&mut client, "/wait ").await;
        assert!(server.connections.enter(None).is_some(), "it makes room");
    }
}
