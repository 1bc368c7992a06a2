//! Where connections come in: each is asked what it speaks, and handed to what speaks it.

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

/// Whether the gateway closes.
type Closing = watch::Receiver<bool>;

/// Waits until a connection that begins now shall ask for no more. One that was let in and has not asked yet may do so.
async fn has_come(mut closing: Closing) {
    if *closing.borrow() {
        sleep(DRAIN_GRACE).await;
    }
    // Without a sender nobody is left to close for.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// What every connection of one listener has in common.
#[derive(Clone)]
pub struct Acceptor {
    /// Where settings and certificates are found.
    pub live: Data<CurrentState>,
    /// The connections that are open.
    pub connections: Arc<OpenConnections>,
    /// Set when none of them shall ask for more.
    pub closing: Closing,
    /// Whether TLS is spoken where a certificate is set.
    pub has_tls: bool,
    /// Answers what is no request; `true` where it came over TLS.
    pub refuse: fn(&AppState, Fault, bool) -> Vec<u8>,
}

/// Serves `application` to every connection that comes in at `entrance`, until its `closing` says that none of them shall
/// ask for more. Built from actix's parts rather than with `HttpServer`, which has no say in `100 Continue`, and whose
/// HTTP/2 knows no bounds: neither the size of a head, nor the number of streams, nor the time for which one stands still.
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
            let settings = entrance.live.house().settings.server.clone();
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
                // The line ends what does not move, and answers a head that is slow.
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(LINGERING_CLOSE)
                // A client that closes its side is gone, and the provider's request with it.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || has_come(goodbye.clone()))
                .expect(fn_service(move |request: Request| {
                    let gate = gate.clone();
                    async move { before_continue(&gate.house(), request).await }
                }))
                .finish(fn_factory(move || ready(Ok::<_, ()>(Rc::clone(&shared)))));
            let (live, refuse) = (entrance.live.clone(), entrance.refuse);
            let refuse: Refuse = Rc::new(move |fault, is_secure| refuse(&live.house(), fault, is_secure));
            let door = Rc::new(Door { one: one.new_service(()).await?, application, entrance, limits, refuse });
            Ok(fn_service(move |stream| {
                let door = Rc::clone(&door);
                async move { door.serve(stream).await }
            }))
        }
    })
}

/// The door of one worker.
struct Door<One, S> {
    /// Speaks HTTP/1.
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
        // The certificate of the moment: a connection keeps the one that it began with.
        let tls = self.entrance.live.house().tls.clone().filter(|_| self.entrance.has_tls);
        let pipe = match tls {
            None => MaybeTls::Plain(socket),
            Some(tls) => {
                // In boxes of their own, here and below: every connection is as large as the largest that it could be, and
                // what is moved into a future has its place there twice.
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
            // What ends a connection is the client's affair; what ends a request is in the log.
            _ = Box::pin(self.one.call((line, Protocol::Http1, peer))) => {}
            () = connection.must_close() => {}
        }
        Ok(())
    }
}
