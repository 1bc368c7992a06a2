//! HTTP/2: many requests on one connection, each a stream of its own.
//!
//! The bounds that HTTP/1 has by its nature have to be set here: how many requests there are at once, how large a head is,
//! how much of a body is read ahead. A client that lets one stream stand still loses that stream, and whoever leaves one
//! leaves its request, whatever else the connection carries.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload, Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri, Version};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{FuturesUnordered, unfold};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep, timeout};

use super::Limits;

/// The most requests at once on one connection.
const MOST_STREAMS: u32 = 128;

/// The largest head, as it is counted by RFC 9113 §6.5.2. Over HTTP/1 it may be about twice that.
const MOST_HEAD: u32 = 64 * 1024;

/// What is taken of bodies that nobody has read yet, of one stream and of all together.
const WINDOW: u32 = 512 * 1024;

/// What is written at once.
const PIECE: usize = 16 * 1024;

/// How long a client that was answered early may go on sending.
const LINGER: Duration = Duration::from_secs(5);

/// How long a client that was told to leave may stay with nothing to do.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves a connection until its client leaves, does nothing for too long, or `closing` comes and what it has asked for is
/// answered.
pub(super) async fn serve<T, S, B>(
    pipe: T,
    peer: Option<SocketAddr>,
    application: &Rc<S>,
    limits: Limits,
    closing: Notified<'_>,
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
        .initial_connection_window_size(WINDOW);
    let mut connection = timeout(limits.head, builder.handshake::<_, Bytes>(pipe)).await?.map_err(io::Error::other)?;
    let mut exchanges = FuturesUnordered::new();
    // Runs while no request is in progress.
    let mut idle = pin!(sleep(limits.head));
    let mut leaving = false;
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted.map_err(io::Error::other)?;
                exchanges.push(exchange(request, respond, peer, application, limits));
            }
            Some(()) = exchanges.next(), if !exchanges.is_empty() => {
                let left = if leaving { FAREWELL } else { limits.keep_alive };
                idle.as_mut().reset(Instant::now() + left);
            }
            () = &mut closing, if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
                idle.as_mut().reset(Instant::now() + FAREWELL);
            }
            () = &mut idle, if exchanges.is_empty() => {
                if leaving {
                    return Ok(());
                }
                leaving = true;
                connection.graceful_shutdown();
                idle.as_mut().reset(Instant::now() + FAREWELL);
            }
        }
    }
}

/// One request and its answer. Ends early, and the request with it, when the client lets go of the stream.
async fn exchange<S, B>(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Option<SocketAddr>,
    application: &Rc<S>,
    limits: Limits,
) where
    S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
    B: MessageBody,
{
    let is_head = request.method() == http::Method::HEAD;
    let (parts, body) = request.into_parts();
    let body = Rc::new(RefCell::new(body));
    let Some(request) = ours(&parts, Rc::clone(&body), peer) else {
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return;
    };
    let mut handled = pin!(application.call(request));
    let handled = poll_fn(|cx| {
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        handled.as_mut().poll(cx).map(Some)
    });
    let answered = match handled.await {
        None => None,
        Some(Ok(response)) => answer(Response::from(response), respond, is_head, limits).await,
        Some(Err(response)) => answer(response, respond, is_head, limits).await,
    };
    if answered.is_some() {
        // To let go of a stream while its client is still sending would reset it, and some clients would not see the answer.
        let _ = timeout(LINGER, async { while let Some(Ok(_)) = next(&body).await {} }).await;
    }
}

/// Sends an answer to its end. `None` when the client is gone, or the answer breaks off.
async fn answer<B: MessageBody>(
    response: Response<B>,
    mut respond: SendResponse<Bytes>,
    is_head: bool,
    limits: Limits,
) -> Option<()> {
    let (response, body) = response.into_parts();
    let size = body.size();
    let Some(head) = theirs(&response, size) else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return None;
    };
    let is_all = is_head || matches!(size, BodySize::None | BodySize::Sized(0));
    let mut stream = respond.send_response(head, is_all).ok()?;
    if is_all {
        return Some(());
    }
    let mut body = pin!(body);
    loop {
        let chunk = poll_fn(|cx| {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(()));
            }
            body.as_mut().poll_next(cx).map(Ok)
        });
        match chunk.await.ok()? {
            None => return stream.send_data(Bytes::new(), true).ok(),
            Some(Ok(chunk)) => send(&mut stream, chunk, limits).await?,
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return None;
            }
        }
    }
}

/// Sends as the client makes room for it. `None` when it is gone, or makes none for too long.
async fn send(stream: &mut SendStream<Bytes>, mut chunk: Bytes, limits: Limits) -> Option<()> {
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len().min(PIECE));
        let Ok(room) = timeout(limits.write, poll_fn(|cx| stream.poll_capacity(cx))).await else {
            stream.send_reset(Reason::CANCEL);
            return None;
        };
        let room = room?.ok()?.min(chunk.len());
        stream.send_data(chunk.split_to(room), false).ok()?;
    }
    Some(())
}

/// The body of a request, read by whoever handles it, and the rest of it by nobody.
type Body = Rc<RefCell<RecvStream>>;

/// A request as the rest of the house knows them: `h2` and actix each have their own types.
fn ours(parts: &http::request::Parts, body: Body, peer: Option<SocketAddr>) -> Option<Request> {
    let payload: BoxedPayloadStream = Box::pin(unfold(body, |body| async {
        let chunk = next(&body).await?.map_err(|_| PayloadError::Incomplete(None));
        Some((chunk, body))
    }));
    let mut request = Request::with_payload(Payload::from(payload));
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

/// What comes next of a body. Once it is read, the client may send as much more.
async fn next(body: &Body) -> Option<Result<Bytes, h2::Error>> {
    let chunk = poll_fn(|cx| body.borrow_mut().poll_data(cx)).await?;
    Some(chunk.and_then(|chunk| {
        body.borrow_mut().flow_control().release_capacity(chunk.len())?;
        Ok(chunk)
    }))
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
    if let BodySize::Sized(length) = size {
        head.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    head.headers_mut().entry(http::header::DATE).or_insert(http::HeaderValue::try_from(date).ok()?);
    Some(head)
}
