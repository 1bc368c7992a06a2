//! `/v1/sessions`: short-lived tokens that a backend creates for its page, lists, and revokes.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::UnixMs;
use crate::domain::terms::AUDIT;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::handlers::small_body;
use crate::http::{answer, preflight, query};
use crate::identity::{Grant, MintError, Scope};
use crate::limits::session::{PageRequest, Session};
use crate::sessions::{self, CreateSession, Maker, OpenSessionError};

/// The maximum size of a request body, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// The maximum number of sessions in a page, and the default of `limit`.
const MAX_PAGE: usize = 100;

/// Handles `POST`: creates a token for a named end user, with no more than the caller's own rights.
pub(in crate::http) async fn open(
    request: HttpRequest,
    body: Payload,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let state = context.state();
    let maker = maker(&request, &context, |maker| Ok(state.admission.check_requests(&maker.caller)?)).await?;
    preflight::check_coding(request.headers())?;
    let minter = state.minter.as_ref().ok_or_else(ApiError::no_sessions)?;
    let body = small_body::read(body, MAX_BODY, state.settings.fixed.server.header_timeout).await?;
    let wanted = CreateSession::parse(&body, &maker.caller.plan)?;
    sessions::check_delegation(&wanted, &maker.caller, &state.settings.plans)?;
    // The token and the list of sessions use the same time.
    let now = UnixMs::now();
    let session = wanted.session(Uuid::now_v7().to_string(), now, maker.caller.expires_at);
    let token = minter.mint_at(&grant(&wanted, &session, &maker), now.get() / 1000).map_err(|error: MintError| {
        tracing::error!(%error, "the token of a session could not be made");
        ApiError::internal()
    })?;
    let opened = state.sessions.open(&maker, session.clone()).await;
    if !matches!(opened, Err(OpenSessionError::Store(_))) {
        context.report_rates_of(&maker.caller);
    }
    opened?;
    let (by, session_of) = (maker.caller.subject.as_str(), session.subject.as_str());
    tracing::info!(target: AUDIT, by, subject = session_of, session = session.id, plan = session.plan,
        scope = session.scope, expires_at = %session.expires_at, "a session was opened");
    let mut answer = json_of(&session);
    if let Value::Object(members) = &mut answer {
        members.insert("token".to_owned(), json!(secrecy::ExposeSecret::expose_secret(&token)));
    }
    let mut response = HttpResponse::Created();
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer::json(response, &answer))
}

/// Returns the content of the session's token.
fn grant(wanted: &CreateSession, session: &Session, maker: &Maker<'_>) -> Grant {
    let ttl = session.expires_at.get().saturating_sub(session.created_at.get());
    Grant {
        subject: session.subject.clone(),
        plan: Some(session.plan.clone()),
        scopes: wanted.scopes,
        ttl: Duration::from_millis(ttl),
        token_id: Some(session.id.clone()),
        caps: session.caps,
        maker: Some(maker.caller.subject.clone()),
    }
}

/// Handles `GET`: lists the caller's sessions that have not ended, oldest first, in OpenAI's pages.
pub(in crate::http) async fn list(request: HttpRequest, context: RequestContext) -> Result<HttpResponse, ApiError> {
    let state = context.state();
    let maker = maker(&request, &context, |maker| Ok(state.sessions.take_read(maker)?)).await?;
    let requested = page(request.query_string())?;
    let page = state.sessions.list(&maker.caller.subject, requested).await;
    let page = page.map_err(|failure| ApiError::no_session_store(&failure))?;
    let id = |session: Option<&Session>| session.map(|session| session.id.clone());
    let list = json!({
        "object": "list",
        "data": page.data.iter().map(json_of).collect::<Vec<_>>(),
        "first_id": id(page.data.first()),
        "last_id": id(page.data.last()),
        "has_more": page.has_more,
    });
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer::json(response, &list))
}

/// Parses `limit` and `after` of the query.
fn page(query: &str) -> Result<PageRequest, ApiError> {
    let limit = match query::single(query, "limit")? {
        None => MAX_PAGE,
        Some(text) => {
            let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
            let within = number.filter(|number| (1..=MAX_PAGE).contains(number));
            let what = format!("takes a whole number from 1 to {MAX_PAGE}");
            within.ok_or_else(|| query::invalid("limit", &text, &what))?
        }
    };
    // Each id is a position in the list, even of a session that has ended: a client may end one page before it reads
    // the next.
    let after = query::single(query, "after")?.map(|text| match Uuid::try_parse(&text) {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(query::invalid("after", &text, "takes the id of a session, such as the last_id of a page")),
    });
    Ok(PageRequest { after: after.transpose()?, limit })
}

/// Handles `DELETE`: revokes the session's token, on every gateway from the next request on.
pub(in crate::http) async fn end(
    request: HttpRequest,
    id: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let state = context.state();
    let maker = maker(&request, &context, |_| Ok(())).await?.caller.subject;
    let ended = state.sessions.end(&maker, &id).await.map_err(|failure| ApiError::no_session_store(&failure))?;
    let session = ended.ok_or_else(|| ApiError::no_session(&id))?;
    let (by, subject) = (maker.as_str(), session.subject.as_str());
    tracing::info!(target: AUDIT, by, subject, session = session.id, "a session was revoked");
    Ok(HttpResponse::NoContent().finish())
}

/// Identifies the caller as a maker of sessions, and returns it if `check` accepts it.
async fn maker<'a>(
    request: &HttpRequest,
    context: &'a RequestContext,
    check: impl FnOnce(&Maker<'a>) -> Result<(), ApiError>,
) -> Result<Maker<'a>, ApiError> {
    let (caller, state) = (context.identify(request.headers()).await?, context.state());
    caller.require(Scope::Sessions)?;
    let maker = Maker { caller: caller.acting_as_maker(), plan: state.admission.plan(&caller)? };
    state.admission.check_known_revocations(&caller)?;
    check(&maker)?;
    state.admission.check_token(&caller).await?;
    Ok(maker)
}

fn json_of(session: &Session) -> Value {
    json!({
        "id": session.id,
        "object": "session",
        "subject": session.subject,
        "plan": session.plan,
        "scope": session.scope,
        "created_at": session.created_at.get() / 1000,
        "expires_at": session.expires_at.get() / 1000,
        "max_audio_seconds": session.caps.audio.map(|max| max.get() / 1000),
        "max_usd": session.caps.usd,
    })
}
