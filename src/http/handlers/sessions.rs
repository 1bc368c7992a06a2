//! `/v1/sessions`: short-lived tokens that a backend creates for its page, lists, and revokes.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::admission::Refusal;
use crate::domain::UnixMs;
use crate::domain::terms::AUDIT;
use crate::http::context::RequestContext;
use crate::http::create_session::CreateSession;
use crate::http::error::{ApiError, ErrorCode};
use crate::http::{answer, preflight, query};
use crate::identity::{Caller, Grant, MintError, Scope};
use crate::intake::IntakeError;
use crate::limits::session::{PageRequest, Session};
use crate::store::StoreError;

/// The maximum size of a request body, in bytes.
const MOST: usize = 16 * 1024;
/// The maximum number of sessions in a page, and the default of `limit`.
const MAX_PAGE: usize = 100;

/// Handles `POST`: creates a token for a named end user, with no more than the caller's own rights.
pub(in crate::http) async fn open(
    request: HttpRequest,
    body: Payload,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let state = context.state();
    let caller = maker(&request, &context, |maker| state.admission.before_session(maker)).await?;
    preflight::check_coding(request.headers())?;
    let minter = state.minter.as_ref().ok_or_else(ApiError::no_sessions)?;
    // A body this small must arrive within the time allowed for a head.
    let body = timeout(state.settings.fixed.server.header_timeout, body.to_bytes_limited(MOST)).await;
    let body = body.map_err(|_| IntakeError::TooSlow)?;
    let body = body.map_err(|_| ApiError::new(ErrorCode::InvalidJson, "The body is over 16 KiB."))?;
    let body = body.map_err(|_| ApiError::new(ErrorCode::InvalidJson, "The body could not be read."))?;
    let wish = CreateSession::of(&body, &caller)?.within(&caller, &state.settings.plans)?;
    let now = UnixMs::now();
    // A session must not outlive the token that created it.
    let left = Duration::from_secs(caller.expires_at.saturating_sub(now.get() / 1000)).max(Duration::from_secs(1));
    let ttl = wish.ttl.min(left);
    let id = Uuid::now_v7().to_string();
    let grant = Grant {
        subject: wish.subject.clone(),
        plan: Some(wish.plan.clone()),
        scopes: wish.scopes,
        ttl,
        token_id: Some(id.clone()),
        caps: wish.caps,
        maker: Some(caller.subject.clone()),
    };
    // The token and the list of sessions use the same time.
    let token = minter.mint_at(&grant, now.get() / 1000).map_err(|error: MintError| {
        tracing::error!(%error, "the token of a session could not be made");
        ApiError::internal()
    })?;
    let session = Session {
        id,
        subject: wish.subject,
        plan: wish.plan,
        scope: wish.scopes.to_string(),
        created_at: now,
        expires_at: now.plus(ttl),
        caps: wish.caps,
    };
    let opened = state.admission.open_session(&caller, session.clone()).await.map_err(|failure| away(&failure))?;
    context.report_rates_of(&caller);
    opened?;
    let (by, session_of) = (caller.subject.as_str(), session.subject.as_str());
    tracing::info!(target: AUDIT, by, subject = session_of, session = session.id, plan = session.plan,
        scope = session.scope, expires_at = %session.expires_at, "a session was opened");
    let mut answer = shown(&session);
    if let Value::Object(members) = &mut answer {
        members.insert("token".to_owned(), json!(secrecy::ExposeSecret::expose_secret(&token)));
    }
    let mut response = HttpResponse::Created();
    response.insert_header((CACHE_CONTROL, "no-store"));
    Ok(answer::json(response, &answer))
}

/// Handles `GET`: lists the caller's sessions that have not ended, oldest first, in OpenAI's pages.
pub(in crate::http) async fn list(request: HttpRequest, context: RequestContext) -> Result<HttpResponse, ApiError> {
    let state = context.state();
    let caller = maker(&request, &context, |maker| state.admission.take_read(maker)).await?;
    let asked_for = page(request.query_string())?;
    let page = state.admission.sessions(&caller, asked_for).await.map_err(|failure| away(&failure))?;
    let id = |session: Option<&Session>| session.map(|session| session.id.clone());
    let list = json!({
        "object": "list",
        "data": page.data.iter().map(shown).collect::<Vec<_>>(),
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
    let caller = maker(&request, &context, |_| Ok(())).await?;
    let ended = state.admission.end_session(&caller, &id).await.map_err(|failure| away(&failure))?;
    let session = ended.ok_or_else(|| ApiError::no_session(&id))?;
    let (by, subject) = (caller.subject.as_str(), session.subject.as_str());
    tracing::info!(target: AUDIT, by, subject, session = session.id, "a session was revoked");
    Ok(HttpResponse::NoContent().finish())
}

/// Identifies the caller as a maker of sessions, and returns it if `check` accepts it.
async fn maker(
    request: &HttpRequest,
    context: &RequestContext,
    check: impl FnOnce(&Caller) -> Result<(), Refusal>,
) -> Result<Caller, ApiError> {
    let (caller, state) = (context.identify(request.headers()).await?, context.state());
    caller.require(Scope::Sessions)?;
    state.admission.plan(&caller)?;
    let maker = caller.acting_as_maker();
    state.admission.check_known_revocations(&caller)?;
    check(&maker)?;
    state.admission.check_token(&caller).await?;
    Ok(maker)
}

fn away(failure: &StoreError) -> ApiError {
    tracing::debug!(%failure, "sessions could not be read or written");
    ApiError::store_away("The gateway cannot keep sessions at the moment. Please try again.")
}

fn shown(session: &Session) -> Value {
    json!({
        "id": session.id,
        "object": "session",
        "subject": session.subject,
        "plan": session.plan,
        "scope": session.scope,
        "created_at": session.created_at.get() / 1000,
        "expires_at": session.expires_at.get() / 1000,
        "max_audio_seconds": session.caps.audio.map(|most| most.get() / 1000),
        "max_usd": session.caps.usd,
    })
}
