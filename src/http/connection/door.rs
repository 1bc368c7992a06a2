//! Where connections come in: each is asked what it speaks, and handed to what speaks it.

use std::fmt::Debug;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_http::{HttpService, Protocol, Request, Response};
use actix_service::{Service, ServiceExt, ServiceFactory, fn_factory, fn_service};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::web::Data;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::line::Line;
use super::pipe::{Pipe, Socket};
use super::{FAREWELL, LINGER, Limits, streams, tls};
use crate::http::expect::before_continue;
use crate::http::house::Live;

/// Whether the gateway closes.
type Closing = watch::Receiver<bool>;

/// Waits until a connection that begins now shall ask for no more. One that was let in and has not asked yet may do so.
async fn has_come(mut closing: Closing) {
    if *closing.borrow() {
        sleep(FAREWELL).await;
    }
    // Without a sender nobody is left to close for.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Serves `application` to every connection, until `closing` says that none of them shall ask for more. Built from actix's
/// parts rather than with `HttpServer`, which has no say in `100 Continue`, and whose HTTP/2 knows no bounds: neither the
/// size of a head, nor the number of streams, nor the time for which one stands still.
pub fn door<A, B>(
    application: A,
    live: &Data<Live>,
    closing: &watch::Receiver<bool>,
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
    let (live, closing) = (live.clone(), closing.clone());
    fn_factory(move || {
        let (application, live, closing) = (Rc::clone(&application), live.clone(), closing.clone());
        async move {
            let application = application.new_service(AppConfig::default()).await?;
            let application = Rc::new(application.map_err(|error| Response::from(error.error_response())));
            let settings = live.house().settings.server.clone();
            let limits = Limits {
                keep_alive: settings.keep_alive,
                head: settings.header_timeout,
                write: settings.write_timeout,
            };
            let (gate, goodbye, shared) = (live.clone(), closing.clone(), Rc::clone(&application));
            let one = HttpService::build()
                .on_connect_ext(|line: &Line, extensions| {
                    extensions.insert(line.connection());
                })
                .keep_alive(settings.keep_alive)
                // The line is stricter; actix's clock is half a second slow and would cut a short limit shorter.
                .client_request_timeout(settings.header_timeout + Duration::from_secs(1))
                .client_disconnect_timeout(LINGER)
                // A client that closes its side is gone, and the provider's request with it.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || has_come(goodbye.clone()))
                .expect(fn_service(move |request: Request| {
                    let gate = gate.clone();
                    async move { before_continue(&gate.house(), request).await }
                }))
                .finish(fn_factory(move || ready(Ok::<_, ()>(Rc::clone(&shared)))));
            let door = Rc::new(Door { one: one.new_service(()).await?, application, live, closing, limits });
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
    live: Data<Live>,
    closing: Closing,
    limits: Limits,
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
        let socket = Socket::new(stream, self.limits.write);
        // The certificate of the moment: a connection keeps the one that it began with.
        let tls = self.live.house().tls.clone();
        let pipe = match tls {
            None => Pipe::Plain(socket),
            Some(tls) => {
                // In boxes of their own, here and below: every connection is as large as the largest that it could be, and
                // what is moved into a future has its place there twice.
                let stream = Box::pin(tls.accept(socket, self.limits.head)).await?;
                if tls::is_http2(&stream) {
                    let closing = has_come(self.closing.clone());
                    return Box::pin(streams::serve(stream, peer, &self.application, self.limits, closing)).await;
                }
                Pipe::Secure(Box::new(stream))
            }
        };
        let line = Line::new(pipe, self.limits);
        // What ends a connection is the client's affair; what ends a request is in the log.
        let _ = Box::pin(self.one.call((line, Protocol::Http1, peer))).await;
        Ok(())
    }
}
