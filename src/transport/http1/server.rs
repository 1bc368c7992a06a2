//! The HTTP/1 server: actix's, for connections behind a watchdog.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_service::{Service, ServiceFactory, fn_service};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use tokio::io::{AsyncRead, AsyncWrite};

use super::service::{before_continue, track};
use super::watchdog::Http1Watchdog;
use crate::transport::limits::LINGERING_CLOSE;

/// Builds the server for `application`. `decide` answers `Expect: 100-continue`; a connection accepts no more requests
/// once its `shutdown` is over.
pub(in crate::transport) async fn server<T, S, B, D, F>(
    application: Rc<S>,
    decide: impl Fn() -> D + Clone + 'static,
    shutdown: impl Fn() -> F + 'static,
) -> Result<impl Service<(Http1Watchdog<T>, Protocol, Option<SocketAddr>), Response = (), Error = DispatchError>, ()>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>> + 'static,
    B: MessageBody + 'static,
    D: AsyncFnOnce(Request) -> Result<Request, Response<BoxBody>> + 'static,
    F: Future<Output = ()> + 'static,
{
    let server = HttpService::build()
        .on_connect_ext(|watchdog: &Http1Watchdog<T>, extensions| {
            extensions.insert(watchdog.scheme());
            extensions.insert(watchdog.connection());
        })
        // The watchdog closes stalled connections and answers slow heads, so actix's timeouts are off.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(LINGERING_CLOSE)
        // A client that closes its side has left, so actix drops its request and the provider's request with it.
        .h1_allow_half_closed(false)
        .graceful_shutdown_signal(shutdown)
        .expect(fn_service(move |request| before_continue(decide(), request)))
        .finish(fn_service(move |request| track(Rc::clone(&application), request)));
    server.new_service(()).await
}
