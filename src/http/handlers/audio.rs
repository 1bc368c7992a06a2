//! The two routes that do the work: receive → identify → take in → admit → forward → relay.

use std::convert::Infallible;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{Handler, HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::StreamExt;

use crate::domain::terms::Task;
use crate::http::answer_header;
use crate::http::context::RequestContext;
use crate::http::dispatch::{Dispatch, InFlight};
use crate::http::error::ApiError;
use crate::http::headers::{accept, trace_context};
use crate::http::preflight::{BodyHead, Preflight};
use crate::intake;
use crate::intake::{Incoming, UploadStart};
use crate::relay::{self, RelayContext, Relayed};
use crate::upstream::Upstream;

/// Returns the handler of a task.
pub(in crate::http) fn handler(
    task: Task,
) -> impl Handler<Arguments, Output = Result<HttpResponse, ApiError>, Future = impl Future> {
    move |request: HttpRequest, body: Payload, context: RequestContext, upstream: Data<Rc<Upstream>>| async move {
        audio(task, request, body, context, Rc::clone(&upstream)).await
    }
}

type Arguments = (HttpRequest, Payload, RequestContext, Data<Rc<Upstream>>);

async fn audio(
    task: Task,
    request: HttpRequest,
    body: Payload,
    context: RequestContext,
    upstream: Rc<Upstream>,
) -> Result<HttpResponse, ApiError> {
    let preflight = context.preflight(task, request.headers()).await?;
    let place = context.state().shared.concurrency.acquire(preflight.caller.share_key()).await?;
    context.hold_place(place);
    let InFlight { events, format, exchange, forwarding } =
        take_in_and_forward(&request, body, &context, preflight, upstream).await?;
    let relay_context = RelayContext {
        events,
        format,
        settings: &context.state().settings.relay,
        describe: ApiError::describe_in_stream,
        exchange,
    };
    Ok(answer(relay::relay(forwarding, relay_context).await?))
}

/// Reads the body and forwards its job, as soon as enough of it is known.
async fn take_in_and_forward(
    request: &HttpRequest,
    body: Payload,
    context: &RequestContext,
    preflight: Preflight,
    upstream: Rc<Upstream>,
) -> Result<InFlight, ApiError> {
    let Preflight { task, caller, body: BodyHead { form, declared, limit } } = preflight;
    let (state, headers) = (context.state(), request.headers());
    // The request counts as arriving until its job is on its way.
    let _arriving = state.admission.start_upload(&caller)?;
    let body = trace_context::receiving(body, context.record().take_receiving());
    let incoming =
        Incoming { task, form, declared, headers, query: request.query_string(), key: caller.share_key(), body };
    let upload = intake::take_in(&state.settings.intake, &state.shared.intake, incoming).traced(context.trace());
    let dispatch = Dispatch {
        context,
        caller: &caller,
        limit,
        prefers_events: accept::prefers_events(headers),
        forward: &move |request| {
            let upstream = Rc::clone(&upstream);
            Box::pin(async move { Ok(upstream.forward(&request).await?.into()) })
        },
    };
    match upload.start().await? {
        UploadStart::Complete(job) => dispatch.dispatch(job).await,
        UploadStart::Early(early, rest) => Box::pin(dispatch.dispatch_early(early, rest)).await,
    }
}

fn answer(relayed: Relayed) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    let headers = match &relayed {
        Relayed::Whole { headers, .. } | Relayed::Events { headers, .. } => headers,
    };
    for pair in headers.iter().filter_map(|(name, value)| answer_header(name, value)) {
        response.insert_header(pair);
    }
    match relayed {
        Relayed::Whole { content_type, body, .. } => {
            let content_type = HeaderValue::from_bytes(content_type.as_bytes()).ok();
            response.insert_header((CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("text/plain"))));
            response.body(body)
        }
        Relayed::Events { body, .. } => {
            response.insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"));
            // A compressing proxy would delay events until it has enough to compress.
            response.insert_header((CACHE_CONTROL, "no-store, no-transform"));
            // nginx buffers a stream unless this header says not to.
            response.insert_header(("x-accel-buffering", "no"));
            response.streaming(body.map(Ok::<_, Infallible>))
        }
    }
}
