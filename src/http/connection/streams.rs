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
use std::time::SystemTime;

use actix_http::{BoxedPayloadStream, Payload, Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri, Version};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};

use super::control_frames::{CountedFrames, FrameBudget};
use super::head::host_of;
use super::open::{CloseReason, OpenConnection};
use super::upload::Upload;
use super::{DRAIN_GRACE, Limits};

/// The maximum number of concurrent requests on one connection.
const MOST_STREAMS: u32 = 128;

/// The maximum size of a head, as counted by RFC 9113 §6.5.2. Over HTTP/1 a head may be about twice as large.
const MOST_HEAD: u32 = 64 * 1024;

/// The maximum number of unread body bytes, for one stream and for the connection.
const WINDOW: u32 = 512 * 1024;

/// The maximum number of bytes in one write.
const PIECE: usize = 16 * 1024;

/// The maximum number of bytes that wait to be written on one stream. A client with large windows that reads nothing
/// makes every stream hold this much.
const MOST_WAITING: usize = 4 * PIECE;

/// Serves a connection until its client leaves or is idle for too long, or `closing` ends further requests and the
/// current ones are answered.
pub(super) async fn serve<T, S, B>(
    pipe: T,
    (peer, open): (Option<SocketAddr>, &OpenConnection),
    application: &Rc<S>,
    limits: Limits,
    closing: impl Future<Output = ()>,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
    B: MessageBody,
{
    let mut closing = pin!(closing);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEAD)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buffer_size(MOST_WAITING);
    let budget = Rc::new(FrameBudget::new());
    let pipe = CountedFrames::new(pipe, Rc::clone(&budget));
    let mut connection = timeout(limits.head, builder.handshake::<_, Bytes>(pipe)).await?.map_err(io::Error::other)?;
    let mut exchanges = FuturesUnordered::new();
    // The idle time limit, which applies while no request is in progress.
    let mut idle = pin!(sleep(limits.head));
    let mut leaving = false;
    loop {
        tokio::select! {
            accepted = poll_fn(|cx| {
                let accepted = connection.poll_accept(cx).map(Some);
                if budget.is_spent() { Poll::Ready(None) } else { accepted }
            }) => {
                let Some(accepted) = accepted else { break };
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted.map_err(io::Error::other)?;
                if exchanges.is_empty() && !open.request_begins() {
                    return Ok(());
                }
                exchanges.push(exchange(request, respond, peer, application, (limits, &budget)));
            }
            Some(()) = exchanges.next(), if !exchanges.is_empty() => {
                if exchanges.is_empty() {
                    open.becomes_idle();
                }
                let left = if leaving { DRAIN_GRACE } else { limits.keep_alive };
                idle.as_mut().reset(Instant::now() + left);
            }
            () = &mut closing, if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
                idle.as_mut().reset(Instant::now() + DRAIN_GRACE);
            }
            () = &mut idle, if exchanges.is_empty() => {
                if leaving {
                    return Ok(());
                }
                leaving = true;
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

/// Handles one request and its answer. Ends early, and drops the request, if the client resets the stream; lingers if
/// the answer is complete before the client has sent its whole body.
async fn exchange<S, B>(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Option<SocketAddr>,
    application: &Rc<S>,
    bounds: (Limits, &FrameBudget),
) where
    S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
    B: MessageBody,
{
    let is_head = request.method() == http::Method::HEAD;
    let mut waits = waits_for_continue(request.headers());
    let (parts, body) = request.into_parts();
    let (upload, is_wanted, rest) = Upload::new(body);
    let Some(request) = ours(&parts, upload, peer) else {
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return;
    };
    let handling = async {
        let mut handled = pin!(application.call(request));
        let handled = poll_fn(|cx| {
            if respond.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            let handled = handled.as_mut().poll(cx).map(Some);
            if waits && is_wanted.get() && handled.is_pending() {
                waits = false;
                say_continue(&mut respond);
            }
            handled
        });
        match handled.await {
            None => {}
            Some(Ok(response)) => answer(Response::from(response), respond, is_head, bounds).await,
            Some(Err(response)) => answer(response, respond, is_head, bounds).await,
        }
    };
    match select(pin!(handling), pin!(rest.linger())).await {
        Either::Left(((), lingering)) => lingering.await,
        Either::Right(((), handling)) => handling.await,
    }
}

/// Returns true if the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
fn waits_for_continue(headers: &http::HeaderMap) -> bool {
    headers.get(http::header::EXPECT).is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn say_continue(respond: &mut SendResponse<Bytes>) {
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::CONTINUE;
    // This fails if the client has left.
    let _ = respond.send_informational(head);
}

async fn answer<B: MessageBody>(
    response: Response<B>,
    mut respond: SendResponse<Bytes>,
    is_head: bool,
    (limits, budget): (Limits, &FrameBudget),
) {
    let (response, body) = response.into_parts();
    let size = body.size();
    let Some(head) = theirs(&response, size) else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return;
    };
    let is_all = is_head || matches!(size, BodySize::None | BodySize::Sized(0));
    let Ok(mut stream) = respond.send_response(head, is_all) else { return };
    if is_all {
        return;
    }
    let mut body = pin!(body);
    loop {
        let chunk = poll_fn(|cx| {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(()));
            }
            body.as_mut().poll_next(cx).map(Ok)
        });
        match chunk.await {
            Err(()) => return,
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return;
            }
            Ok(Some(Ok(chunk))) => {
                if send(&mut stream, chunk, limits, budget).await.is_none() {
                    return;
                }
            }
        }
    }
    // This fails if the client has left.
    let _ = stream.send_data(Bytes::new(), true);
}

/// Sends a chunk as the client's window allows. `None` if the client has left or grants no window for too long.
async fn send(stream: &mut SendStream<Bytes>, mut chunk: Bytes, limits: Limits, budget: &FrameBudget) -> Option<()> {
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len().min(PIECE));
        let Ok(room) = timeout(limits.write, poll_fn(|cx| stream.poll_capacity(cx))).await else {
            stream.send_reset(Reason::CANCEL);
            return None;
        };
        let room = room?.ok()?.min(chunk.len());
        stream.send_data(chunk.split_to(room), false).ok()?;
        budget.frame_sent();
    }
    Some(())
}

/// Converts an `h2` request into an actix request.
fn ours(parts: &http::request::Parts, upload: Upload, peer: Option<SocketAddr>) -> Option<Request> {
    if !names_one_host(parts) {
        return None;
    }
    let upload: BoxedPayloadStream = Box::pin(upload);
    let mut request = Request::with_payload(Payload::from(upload));
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    head.uri = Uri::try_from(parts.uri.to_string()).ok()?;
    head.version = Version::HTTP_2;
    head.peer_addr = peer;
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}

/// Returns true if a `Host` header agrees with the `:authority`. A proxy may use one and a server the other (RFC 9113
/// §8.3.1).
fn names_one_host(parts: &http::request::Parts) -> bool {
    let mut hosts = parts.headers.get_all(http::header::HOST).iter();
    match (hosts.next(), hosts.next(), parts.uri.authority()) {
        (None, ..) => true,
        (Some(host), None, Some(authority)) => {
            host_of(host.as_bytes()).is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority.as_str()))
        }
        (Some(host), None, None) => host_of(host.as_bytes()).is_some(),
        (Some(_), Some(_), _) => false,
    }
}

/// Converts the head of an answer, without the fields that only HTTP/1 has (RFC 9113 §8.2.2).
fn theirs(response: &Response<()>, size: BodySize) -> Option<http::Response<()>> {
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::from_u16(response.status().as_u16()).ok()?;
    for (name, value) in response.headers() {
        if !matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::CONTENT_LENGTH) {
            let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            head.headers_mut().append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
    }
    // An answer without a body has no `Content-Length` (RFC 9110 §8.6).
    let has_body = !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let (BodySize::Sized(length), true) = (size, has_body) {
        head.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    head.headers_mut().entry(http::header::DATE).or_insert(http::HeaderValue::try_from(date).ok()?);
    Some(head)
}
