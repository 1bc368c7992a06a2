//! `GET /v1/live/{id}/events`: the events of a session, from any of them on.

use std::convert::Infallible;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;

use super::find;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::query;
use crate::live::{EventReader, LiveSession};
use std::sync::Arc;

/// The header by which a client says which event it has had last (HTML standard, §9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";

/// Handles `GET`. The query wins over the header, which a client may repeat by itself.
pub(in crate::http) async fn read(
    request: HttpRequest,
    id: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let session = find(&context, request.headers(), &id).await?;
    let header = request.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let after = query::single(request.query_string(), "after")?.map(|after| ("after", after));
    let after = after.or_else(|| header.map(|header| (LAST_EVENT_ID, header)));
    let place = match &after {
        None => 0,
        Some((name, id)) => id.trim().parse().map_err(|_| unknown_event(name, id))?,
    };
    let keep_alive = context.state().settings.relay.keep_alive;
    let reader = session.read_events(place, keep_alive).await.map_err(|error| match (&after, error) {
        (Some((name, id)), crate::live::ReadEventsError::UnknownEvent) => unknown_event(name, id),
        (_, error) => ApiError::from(error),
    })?;
    Ok(streamed(reader, &session))
}

fn unknown_event(name: &str, id: &str) -> ApiError {
    query::invalid(name, id, "takes the id of an event of this session")
}

/// Returns the answer that streams a session's events.
pub(super) fn streamed(reader: EventReader, session: &Arc<LiveSession>) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    response.insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"));
    // A compressing proxy would delay events until it has enough to compress.
    response.insert_header((CACHE_CONTROL, "no-store, no-transform"));
    // nginx buffers a stream unless this header says not to.
    response.insert_header(("x-accel-buffering", "no"));
    response.insert_header(("x-voxgate-live", session.id().as_str()));
    response.streaming(stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok::<_, Infallible>(bytes), reader))
    }))
}
