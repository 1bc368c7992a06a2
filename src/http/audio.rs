//! The two routes that do the work: receive → identify → take in → admit → forward → relay.

use std::convert::Infallible;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::StreamExt;

use super::connection::Connection;
use super::deadline::ClientLimit;
use super::error::ApiError;
use super::{House, answer_header, gate, rates, record};
use crate::intake::{self, Incoming};
use crate::relay::{self, Manner, Relayed};
use crate::terms::Task;
use crate::upstream::{Errand, Upstream};

pub(super) async fn transcriptions(
    request: HttpRequest,
    body: Payload,
    house: Data<House>,
    upstream: Data<Rc<Upstream>>,
) -> Result<HttpResponse, ApiError> {
    audio(Task::Transcribe, &request, body, &house, &upstream).await
}

pub(super) async fn translations(
    request: HttpRequest,
    body: Payload,
    house: Data<House>,
    upstream: Data<Rc<Upstream>>,
) -> Result<HttpResponse, ApiError> {
    audio(Task::Translate, &request, body, &house, &upstream).await
}

async fn audio(
    task: Task,
    request: &HttpRequest,
    body: Payload,
    house: &House,
    upstream: &Rc<Upstream>,
) -> Result<HttpResponse, ApiError> {
    let record = record::of(request);
    let (caller, form) = gate::check(house, task, request.headers(), |caller| {
        record.caller(caller);
        rates::tell(request, caller);
    })?;

    let limit = ClientLimit::of(request.headers())?;

    let incoming = Incoming { task, form, headers: request.headers(), query: request.query_string(), body };
    let mut job = intake::take_in(&house.settings.intake, incoming).await?;
    job.options.stream |= accepts_events(request);
    record.job(&job);
    if let Some(connection) = request.conn_data::<Rc<Connection>>() {
        connection.body_is_in();
    }

    let (routes, request_id) = (house.admission.routes(&caller, &job)?, record.request_id());
    let provider = house.provider_name(&routes.asked_for);
    let permit = house.admission.admit(&caller, &job, &routes, (provider, &request_id)).await?;
    let course = permit.course();
    record.asked(&routes.asked_for.name, course.clone());

    let deadline = limit.deadline(record.started(), job.options.stream, &house.settings);
    let manner = Manner {
        events: job.options.stream,
        format: job.options.format(),
        settings: &house.settings.relay,
        describe: ApiError::describe_in_stream,
        permit,
        record: record.clone(),
    };
    let (upstream, errand) = (Rc::clone(upstream), Errand { job, routes, request_id, deadline, course });
    let forwarding = Box::pin(async move { upstream.forward(&errand).await });
    let relayed = relay::relay(forwarding, manner).await?;
    Ok(answer(relayed))
}

/// `Accept: text/event-stream` asks for a stream as `stream=true` does: it is what a browser's reader sends.
fn accepts_events(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|item| item.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream")))
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
            response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
            response.insert_header((CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("text/plain"))));
            response.body(body)
        }
        Relayed::Events { body, .. } => {
            response.insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"));
            response.insert_header((CACHE_CONTROL, "no-store"));
            // nginx holds a stream back until its buffer is full unless it is told not to.
            response.insert_header(("x-accel-buffering", "no"));
            response.streaming(body.map(Ok::<_, Infallible>))
        }
    }
}
