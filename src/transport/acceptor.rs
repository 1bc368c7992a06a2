//! Acceptor for connections: detects the protocol of each and passes it to the server for that protocol.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_service::{Service, ServiceExt, ServiceFactory, fn_factory, fn_service};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceResponse};
use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::http1::{Http1Connection, Http1Watchdog, Refuse, before_continue, track};
use super::http2;
use super::io::{MaybeTls, Socket};
use super::limits::{DRAIN_GRACE, LINGERING_CLOSE, TimeLimits};
use super::open_connections::OpenConnections;
use super::tls::{self, CurrentTls};
use crate::domain::Scheme;

/// The signal that turns true when connections must accept no more requests.
type Shutdown = watch::Receiver<bool>;

/// The connections of one listener: what they share, and what bounds them.
#[derive(Clone)]
pub struct Acceptor {
    /// The open connections.
    pub connections: Arc<OpenConnections>,
    /// The TLS acceptor in force; `None` if the listener never uses TLS.
    pub tls: Option<Arc<CurrentTls>>,
    /// The time limits of inactive clients.
    pub limits: TimeLimits,
    /// Set to true when connections must accept no more requests.
    pub shutdown: Shutdown,
    /// The decisions that are the application's.
    pub hooks: Hooks,
}

/// The decisions that the connections leave to the application.
#[derive(Clone)]
pub struct Hooks {
    /// Builds the answer to bytes that are not a valid request, after which the connection ends.
    pub refuse: Refuse,
    /// Passes on a request with `Expect: 100-continue` that may send its body, or returns the answer that refuses it.
    /// HTTP/2 requests do not pass it: the client may send the body when the handler first reads it.
    pub before_continue: Arc<dyn Fn(Request) -> BeforeContinue + Send + Sync>,
}

type BeforeContinue = LocalBoxFuture<'static, Result<Request, Response<BoxBody>>>;

/// Waits until a connection that is new now must accept no more requests. During a shutdown, a connection that has sent
/// no request yet may still send one within [`DRAIN_GRACE`].
async fn shutdown_requested(mut shutdown: Shutdown) {
    if *shutdown.borrow() {
        sleep(DRAIN_GRACE).await;
    }
    // A dropped sender ends the wait, too.
    let _ = shutdown.wait_for(|shutdown| *shutdown).await;
}

/// Serves `application` to every connection of `acceptor`, until its `shutdown` ends further requests. Uses actix's
/// parts instead of `HttpServer`, which gives no control over `100 Continue`, and sets no HTTP/2 limits on the size of
/// a head, the number of streams, or the time for which a stream may stall.
pub fn accept<A, B>(
    application: A,
    acceptor: Acceptor,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = io::Error, InitError = ()> + use<A, B>
where
    A: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    A::Service: 'static,
    <A::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let application = Rc::new(application);
    fn_factory(move || {
        let (application, acceptor) = (Rc::clone(&application), acceptor.clone());
        async move {
            let application = application.new_service(AppConfig::default()).await?;
            let application = Rc::new(application.map_err(|error| Response::from(error.error_response())));
            let (hook, shutdown) = (Arc::clone(&acceptor.hooks.before_continue), acceptor.shutdown.clone());
            let tracked = Rc::clone(&application);
            let http1 = HttpService::build()
                .on_connect_ext(|watchdog: &Http1Watchdog<MaybeTls>, extensions| {
                    extensions.insert(watchdog.scheme());
                    extensions.insert(watchdog.connection());
                })
                // The watchdog closes stalled connections and answers slow heads, so actix's timeouts are off.
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(LINGERING_CLOSE)
                // A client that closes its side has left, so actix drops its request and the provider's request with
                // it.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || shutdown_requested(shutdown.clone()))
                .expect(fn_service(move |request| {
                    let hook = Arc::clone(&hook);
                    before_continue(async move |request| hook(request).await, request)
                }))
                .finish(fn_service(move |request| track(Rc::clone(&tracked), request)));
            let server = Rc::new(Server { http1: http1.new_service(()).await?, application, acceptor });
            Ok(fn_service(move |stream| {
                let server = Rc::clone(&server);
                async move { server.serve(stream).await }
            }))
        }
    })
}

/// The servers of one worker, one for each protocol.
struct Server<H, S> {
    http1: H,
    /// The application, which HTTP/2 calls itself.
    application: Rc<S>,
    acceptor: Acceptor,
}

impl<H, S> Server<H, S> {
    /// Serves one connection until it ends.
    async fn serve<B>(&self, stream: TcpStream) -> io::Result<()>
    where
        H: Service<(Http1Watchdog<MaybeTls>, Protocol, Option<SocketAddr>), Response = ()>,
        H::Error: Debug,
        S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
        B: MessageBody,
    {
        let Acceptor { connections, tls, limits, shutdown, hooks } = &self.acceptor;
        let peer = stream.peer_addr().ok();
        let Some(open) = connections.enter(peer.map(|peer| peer.ip())) else { return Ok(()) };
        let socket = Socket::new(stream, limits.write);
        let (stream, scheme) = match tls.as_ref().and_then(|tls| tls.load()) {
            None => (MaybeTls::Plain(socket), Scheme::Http),
            Some(tls) => {
                // Boxed, here and below: each connection's future is as large as its largest branch, and a value moved
                // into a future takes its space twice.
                let accepted = Box::pin(tls.accept(socket, limits.head));
                let stream = tokio::select! {
                    accepted = accepted => accepted?,
                    () = open.must_close() => return Ok(()),
                };
                if tls::is_http2(&stream) {
                    let client = http2::Client { peer, open: &open };
                    let shutdown = shutdown_requested(shutdown.clone());
                    let served = http2::serve(stream, client, &self.application, *limits, shutdown);
                    return tokio::select! {
                        served = Box::pin(served) => served,
                        () = open.must_close() => Ok(()),
                    };
                }
                (MaybeTls::Secure(Box::new(stream)), Scheme::Https)
            }
        };
        let connection = Rc::new(Http1Connection::new(open));
        let refuse = Arc::clone(&hooks.refuse);
        let watchdog = Http1Watchdog::new(stream, scheme, Rc::clone(&connection), *limits, refuse);
        tokio::select! {
            // The result is ignored: errors of a connection are the client's matter, and errors of requests are in the
            // log.
            _ = Box::pin(self.http1.call((watchdog, Protocol::Http1, peer))) => {}
            () = connection.must_close() => {}
        }
        Ok(())
    }
}
