//! One request over HTTP/2 and its answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix_http::{Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use bytes::Bytes;
use futures_util::future::{Either, select};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use tokio::time::timeout;

use super::body::RequestBody;
use super::control_frames::FrameBudget;
use super::convert::{to_actix_request, to_h2_head};

/// The maximum number of bytes in one write.
pub(super) const MAX_WRITE_BYTES: usize = 16 * 1024;

/// What a request on a connection needs of it.
pub(super) struct Exchange<'a, S> {
    pub(super) peer: Option<SocketAddr>,
    pub(super) application: &'a Rc<S>,
    /// The time limit for the client to grant a window for an answer that waits for it.
    pub(super) write_timeout: Duration,
    pub(super) budget: &'a FrameBudget,
}

impl<S> Exchange<'_, S> {
    /// Handles one request and its answer. Ends early, and drops the request, if the client resets the stream; lingers
    /// if the answer is complete before the client has sent its whole body.
    pub(super) async fn run<B>(self, request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>)
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Response<BoxBody>>,
        B: MessageBody,
    {
        let is_head = request.method() == http::Method::HEAD;
        let mut awaits_continue = awaits_continue(request.headers());
        let (parts, body) = request.into_parts();
        let (body, is_wanted, unread) = RequestBody::new(body);
        let Some(request) = to_actix_request(&parts, body, self.peer) else {
            respond.send_reset(Reason::PROTOCOL_ERROR);
            return;
        };
        let handling = async {
            let mut handled = pin!(self.application.call(request));
            let handled = poll_fn(|cx| {
                if respond.poll_reset(cx).is_ready() {
                    return Poll::Ready(None);
                }
                let handled = handled.as_mut().poll(cx).map(Some);
                if awaits_continue && is_wanted.get() && handled.is_pending() {
                    awaits_continue = false;
                    send_100_continue(&mut respond);
                }
                handled
            });
            match handled.await {
                None => {}
                Some(Ok(response)) => self.send_answer(Response::from(response), respond, is_head).await,
                Some(Err(response)) => self.send_answer(response, respond, is_head).await,
            }
        };
        match select(pin!(handling), pin!(unread.linger())).await {
            Either::Left(((), lingering)) => lingering.await,
            Either::Right(((), handling)) => handling.await,
        }
    }

    async fn send_answer<B: MessageBody>(
        &self,
        response: Response<B>,
        mut respond: SendResponse<Bytes>,
        is_head: bool,
    ) {
        let (response, body) = response.into_parts();
        let size = body.size();
        let Some(head) = to_h2_head(&response, size) else {
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
                    if self.send(&mut stream, chunk).await.is_none() {
                        return;
                    }
                }
            }
        }
        // This fails if the client has left.
        let _ = stream.send_data(Bytes::new(), true);
    }

    /// Sends a chunk as the client's window allows. `None` if the client has left or grants no window for too long.
    async fn send(&self, stream: &mut SendStream<Bytes>, mut chunk: Bytes) -> Option<()> {
        while !chunk.is_empty() {
            stream.reserve_capacity(chunk.len().min(MAX_WRITE_BYTES));
            let Ok(window) = timeout(self.write_timeout, poll_fn(|cx| stream.poll_capacity(cx))).await else {
                stream.send_reset(Reason::CANCEL);
                return None;
            };
            let count = window?.ok()?.min(chunk.len());
            stream.send_data(chunk.split_to(count), false).ok()?;
            self.budget.frame_sent();
        }
        Some(())
    }
}

/// Returns true if the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
fn awaits_continue(headers: &http::HeaderMap) -> bool {
    headers.get(http::header::EXPECT).is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn send_100_continue(respond: &mut SendResponse<Bytes>) {
    let mut head = http::Response::new(());
    *head.status_mut() = http::StatusCode::CONTINUE;
    // This fails if the client has left.
    let _ = respond.send_informational(head);
}
