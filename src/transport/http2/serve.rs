//! HTTP/2: many requests on one connection, each on its own stream.
//!
//! HTTP/2 needs explicit limits that HTTP/1 has by design: the number of concurrent requests, the size of a head, and
//! the part of a body that is read ahead. A client that stalls a stream loses that stream; a client that resets a
//! stream ends its request, and the other streams continue.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use actix_http::{Request, Response};
use actix_service::Service;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::Reason;
use h2::server::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};

use super::control_frames::{CountedFrames, FrameBudget};
use super::exchange::{Exchange, MAX_WRITE_BYTES};
use crate::transport::close_reason::CloseReason;
use crate::transport::limits::{DRAIN_GRACE, TimeLimits};
use crate::transport::open_connections::OpenConnection;

/// The maximum number of concurrent requests on one connection.
const MAX_STREAMS: u32 = 128;

/// The maximum size of a head, as counted by RFC 9113 §6.5.2. Over HTTP/1 a head may be about twice as large.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// The maximum number of unread body bytes, for one stream and for the connection.
const WINDOW_BYTES: u32 = 512 * 1024;

/// The maximum number of bytes that wait to be written on one stream. A client with large windows that reads nothing
/// makes every stream hold this much.
const MAX_SEND_BUFFER_BYTES: usize = 4 * MAX_WRITE_BYTES;

/// The client of a connection.
pub(in crate::transport) struct Client<'a> {
    pub(in crate::transport) peer: Option<SocketAddr>,
    pub(in crate::transport) open: &'a OpenConnection,
}

/// Serves a connection until its client leaves or is idle for too long, or `shutdown` ends further requests and the
/// current ones are answered.
pub(in crate::transport) async fn serve<T, S, B>(
    stream: T,
    client: Client<'_>,
    application: &Rc<S>,
    limits: TimeLimits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
    B: MessageBody,
{
    let mut shutdown = pin!(shutdown);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buffer_size(MAX_SEND_BUFFER_BYTES);
    let budget = Rc::new(FrameBudget::new());
    let stream = CountedFrames::new(stream, Rc::clone(&budget));
    let mut connection =
        timeout(limits.head, builder.handshake::<_, Bytes>(stream)).await?.map_err(io::Error::other)?;
    let mut exchanges = FuturesUnordered::new();
    // The idle time limit, which applies while no request is in progress.
    let mut idle = pin!(sleep(limits.head));
    let mut is_draining = false;
    loop {
        tokio::select! {
            accepted = poll_fn(|cx| {
                let accepted = connection.poll_accept(cx).map(Some);
                if budget.is_spent() { Poll::Ready(None) } else { accepted }
            }) => {
                let Some(accepted) = accepted else { break };
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted.map_err(io::Error::other)?;
                if exchanges.is_empty() && !client.open.request_begins() {
                    return Ok(());
                }
                let exchange = Exchange { peer: client.peer, application, write_timeout: limits.write, budget: &budget };
                exchanges.push(exchange.run(request, respond));
            }
            Some(()) = exchanges.next(), if !exchanges.is_empty() => {
                if exchanges.is_empty() {
                    client.open.becomes_idle();
                }
                let left = if is_draining { DRAIN_GRACE } else { limits.keep_alive };
                idle.as_mut().reset(Instant::now() + left);
            }
            () = &mut shutdown, if !is_draining => {
                is_draining = true;
                connection.graceful_shutdown();
                idle.as_mut().reset(Instant::now() + DRAIN_GRACE);
            }
            () = &mut idle, if exchanges.is_empty() => {
                if is_draining {
                    return Ok(());
                }
                is_draining = true;
                connection.graceful_shutdown();
                idle.as_mut().reset(Instant::now() + DRAIN_GRACE);
            }
        }
    }
    // The client exceeded its frame budget (RFC 9113 §10.5): drop its requests, send GOAWAY and close.
    drop(exchanges);
    CloseReason::ControlFrames.count();
    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
    timeout(DRAIN_GRACE, poll_fn(|cx| connection.poll_closed(cx))).await?.map_err(io::Error::other)
}
