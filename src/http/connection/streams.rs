//! HTTP/2: many requests on one connection, each a stream of its own.
//!
//! The bounds that HTTP/1 has by its nature have to be set here: how many requests there are at once, how large a head is,
//! how much of a body is read ahead. A client that lets one stream stand still loses that stream, and whoever leaves one
//! leaves its request, whatever else the connection carries.

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

/// The most requests at once on one connection.
const MOST_STREAMS: u32 = 128;

/// The largest head, as it is counted by RFC 9113 §6.5.2. Over HTTP/1 it may be about twice that.
const MOST_HEAD: u32 = 64 * 1024;

/// What is taken of bodies that nobody has read yet, of one stream and of all together.
const WINDOW: u32 = 512 * 1024;

/// What is written at once.
const PIECE: usize = 16 * 1024;

/// What a stream may have waiting to be written: to a client that makes room for much and reads nothing, every stream has.
const MOST_WAITING: usize = 4 * PIECE;

/// Serves a connection until its client leaves, does nothing for too long, or `closing` comes and what it has asked for is
/// answered.
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
    // Runs while no request is in progress.
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
    // It sends frames for their own sake (RFC 9113 §10.5): it is told, and gone, with all that it has asked for.
    drop(exchanges);
    CloseReason::ControlFrames.count();
    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
    timeout(DRAIN_GRACE, poll_fn(|cx| connection.poll_closed(cx))).await?.map_err(io::Error::other)
}

/// One request and its answer. Ends early, and the request with it, when the client lets go of the stream; late, when it
/// is answered before it has sent all.
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

/// Whether a client sends its body when it is told to (RFC 9110 §10.1.1).
fn waits_for_continue(headers: &http::HeaderMap) -> bool {
    headers.get(http::header::EXPECT).is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn say_continue(respond: &mut SendResponse<Bytes>) {
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::CONTINUE;
    // It fails where the client is gone.
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
    // It fails where the client is gone.
    let _ = stream.send_data(Bytes::new(), true);
}

/// Sends as the client makes room for it. `None` when it is gone, or makes none for too long.
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

/// A request as the rest of the house knows them: `h2` and actix each have their own types.
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

/// Whether a `Host` beside the `:authority` says the same. A proxy may go by the one and a server by the other (RFC 9113
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

/// The head of an answer, without what only HTTP/1 has (RFC 9113 §8.2.2).
fn theirs(response: &Response<()>, size: BodySize) -> Option<http::Response<()>> {
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::from_u16(response.status().as_u16()).ok()?;
    for (name, value) in response.headers() {
        if !matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::CONTENT_LENGTH) {
            let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            head.headers_mut().append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
    }
    // An answer that has no body has no length either (RFC 9110 §8.6).
    let has_body = !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let (BodySize::Sized(length), true) = (size, has_body) {
        head.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    head.headers_mut().entry(http::header::DATE).or_insert(http::HeaderValue::try_from(date).ok()?);
    Some(head)
}
