//! The two routes that do the work: receive → identify → take in → admit → forward → relay.

use std::convert::Infallible;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::StreamExt;

use crate::domain::terms::Task;
use crate::http::dispatch::Dispatch;
use crate::http::error::ApiError;
use crate::http::headers::{accept, rate_limit, trace_context};
use crate::http::middleware::request_log;
use crate::http::preflight::Preflight;
use crate::http::state::AppState;
use crate::http::{PinnedState, answer_header, preflight};
use crate::intake;
use crate::intake::{First, Incoming};
use crate::relay::{self, RelayContext, Relayed};
use crate::upstream::Upstream;

pub(in crate::http) async fn transcriptions(
    request: HttpRequest,
    body: Payload,
    state: PinnedState,
    upstream: Data<Rc<Upstream>>,
) -> Result<HttpResponse, ApiError> {
    audio(Task::Transcribe, &request, body, &state, &upstream).await
}

pub(in crate::http) async fn translations(
    request: HttpRequest,
    body: Payload,
    state: PinnedState,
    upstream: Data<Rc<Upstream>>,
) -> Result<HttpResponse, ApiError> {
    audio(Task::Translate, &request, body, &state, &upstream).await
}

async fn audio(
    task: Task,
    request: &HttpRequest,
    body: Payload,
    state: &AppState,
    upstream: &Rc<Upstream>,
) -> Result<HttpResponse, ApiError> {
    let record = request_log::of(request);
    let Preflight { caller, form, declared, limit } =
        preflight::check(state, task, request.headers(), &record.trace(), |caller| {
            record.caller(caller);
            rate_limit::tell(request, caller);
        })
        .await?;
    let key = caller.share_key();
    request_log::hold(request, state.shared.places.take(key).await?);
    let arriving = state.admission.arriving(&caller)?;

    let body = trace_context::receiving(body, record.receiving());
    let (headers, query) = (request.headers(), request.query_string());
    let incoming = Incoming { task, form, declared, headers, query, key, body };
    let mut arrival = intake::take_in(&state.settings.intake, &state.shared.intake, incoming).traced(record.trace());
    let events = accept::prefers_events(request.headers());
    let order = Dispatch { state, upstream, caller: &caller, record: &record, limit, events };
    let work = match arrival.first().await? {
        First::Whole(job) => order.begin(job).await?,
        First::Early(job, claim) => order.begin_early(job, claim, arrival).await?,
    };
    drop(arriving);

    let manner = RelayContext {
        events: work.events,
        format: work.format,
        settings: &state.settings.relay,
        describe: ApiError::describe_in_stream,
        exchange: work.exchange,
    };
    let relayed = relay::relay(work.forwarding, manner).await?;
    Ok(answer(relayed))
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
