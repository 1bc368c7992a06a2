//! Acceptor for connections: detects the protocol of each and passes it to the server for that protocol.

use std::fmt::Debug;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_service::{Service, ServiceExt, ServiceFactory, fn_factory, fn_service};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::web::Data;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::line::{Line, Refuse};
use super::pipe::{MaybeTls, Socket};
use super::{Connection, DRAIN_GRACE, Fault, LINGERING_CLOSE, Limits, OpenConnections, streams, tls};
use crate::http::expect::before_continue;
use crate::http::state::{AppState, CurrentState};

/// The signal that turns true when the gateway shuts down.
type Closing = watch::Receiver<bool>;

/// Waits until a connection that is new now must accept no more requests. During a shutdown, a connection that has sent
/// no request yet may still send one within [`DRAIN_GRACE`].
async fn has_come(mut closing: Closing) {
    if *closing.borrow() {
        sleep(DRAIN_GRACE).await;
    }
    // A dropped sender ends the wait, too.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// The state shared by all connections of one listener.
#[derive(Clone)]
pub struct Acceptor {
    /// The current settings and certificates.
    pub live: Data<CurrentState>,
    /// The open connections.
    pub connections: Arc<OpenConnections>,
    /// Set to true when connections must accept no more requests.
    pub closing: Closing,
    /// True if the listener uses TLS when a certificate is set.
    pub has_tls: bool,
    /// Builds the answer to bytes that are not a valid request. The flag is true if they came over TLS.
    pub refuse: fn(&AppState, Fault, bool) -> Vec<u8>,
}

/// Serves `application` to every connection at `entrance`, until its `closing` ends further requests. Uses actix's
/// parts instead of `HttpServer`, which gives no control over `100 Continue`, and sets no HTTP/2 limits on the size of
/// a head, the number of streams, or the time for which a stream may stall.
pub fn door<A, B>(
    application: A,
    entrance: Acceptor,
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
        let (application, entrance) = (Rc::clone(&application), entrance.clone());
        async move {
            let application = application.new_service(AppConfig::default()).await?;
            let application = Rc::new(application.map_err(|error| Response::from(error.error_response())));
            let settings = entrance.live.current().settings.server.clone();
            let limits = Limits {
                keep_alive: settings.keep_alive,
                head: settings.header_timeout,
                write: settings.write_timeout,
            };
            let (gate, goodbye, shared) = (entrance.live.clone(), entrance.closing.clone(), Rc::clone(&application));
            let one = HttpService::build()
                .on_connect_ext(|line: &Line, extensions| {
                    extensions.insert(line.connection());
                })
                // The line closes stalled connections and answers slow heads, so actix's timeouts are off.
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(LINGERING_CLOSE)
                // A client that closes its side has left, so actix drops its request and the provider's request with
                // it.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || has_come(goodbye.clone()))
                .expect(fn_service(move |request: Request| {
                    let gate = gate.clone();
                    async move { before_continue(&gate.current(), request).await }
                }))
                .finish(fn_factory(move || ready(Ok::<_, ()>(Rc::clone(&shared)))));
            let (live, refuse) = (entrance.live.clone(), entrance.refuse);
            let refuse: Refuse = Rc::new(move |fault, is_secure| refuse(&live.current(), fault, is_secure));
            let door = Rc::new(Door { one: one.new_service(()).await?, application, entrance, limits, refuse });
            Ok(fn_service(move |stream| {
                let door = Rc::clone(&door);
                async move { door.serve(stream).await }
            }))
        }
    })
}

/// The acceptor of one worker.
struct Door<One, S> {
    /// The HTTP/1 service.
    one: One,
    application: Rc<S>,
    entrance: Acceptor,
    limits: Limits,
    refuse: Refuse,
}

impl<One, S> Door<One, S> {
    /// Serves one connection until it ends.
    async fn serve<B>(&self, stream: TcpStream) -> io::Result<()>
    where
        One: Service<(Line, Protocol, Option<SocketAddr>), Response = ()>,
        One::Error: Debug,
        S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
        B: MessageBody,
    {
        let peer = stream.peer_addr().ok();
        let Some(open) = self.entrance.connections.enter(peer.map(|peer| peer.ip())) else { return Ok(()) };
        let socket = Socket::new(stream, self.limits.write);
        // The current certificate; the connection keeps it after a reload.
        let tls = self.entrance.live.current().tls.clone().filter(|_| self.entrance.has_tls);
        let pipe = match tls {
            None => MaybeTls::Plain(socket),
            Some(tls) => {
                // Boxed, here and below: each connection's future is as large as its largest branch, and a value moved
                // into a future takes its space twice.
                let accepted = Box::pin(tls.accept(socket, self.limits.head));
                let stream = tokio::select! {
                    accepted = accepted => accepted?,
                    () = open.must_close() => return Ok(()),
                };
                if tls::is_http2(&stream) {
                    let closing = has_come(self.entrance.closing.clone());
                    let served = streams::serve(stream, (peer, &open), &self.application, self.limits, closing);
                    return tokio::select! {
                        served = Box::pin(served) => served,
                        () = open.must_close() => Ok(()),
                    };
                }
                MaybeTls::Secure(Box::new(stream))
            }
        };
        let connection = Rc::new(Connection::new(pipe.is_secure(), open));
        let line = Line::new(pipe, Rc::clone(&connection), self.limits, Rc::clone(&self.refuse));
        tokio::select! {
            // The result is ignored: errors of a connection are the client's matter, and errors of requests are in the
            // log.
            _ = Box::pin(self.one.call((line, Protocol::Http1, peer))) => {}
            () = connection.must_close() => {}
        }
        Ok(())
    }
}
