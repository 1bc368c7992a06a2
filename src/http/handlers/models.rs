//! `GET /v1/models` and `GET /v1/models/{model}`: the models that this caller may use, as OpenAI lists them.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::admission::Refusal;
use crate::config::Model;
use crate::domain::text::printable;
use crate::http::answer;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::identity::Caller;

/// The maximum length of a model name in an error, in characters.
const MAX_SHOWN_NAME: usize = 128;

/// Lists all models of the caller.
pub(in crate::http) async fn list(request: HttpRequest, context: RequestContext) -> Result<HttpResponse, ApiError> {
    let (caller, state) = (identify(&request, &context).await?, context.state());
    let data: Vec<_> = state.admission.models(&caller)?.map(|model| object(state, model)).collect();
    Ok(answer::json(HttpResponse::Ok(), &json!({ "object": "list", "data": data })))
}

/// Returns one model by its name, which may contain slashes, percent-encoded or not.
pub(in crate::http) async fn retrieve(
    request: HttpRequest,
    name: Path<String>,
    context: RequestContext,
) -> Result<HttpResponse, ApiError> {
    let (caller, state) = (identify(&request, &context).await?, context.state());
    let model = state.admission.models(&caller)?.find(|model| model.name == *name);
    // The error must not reveal that others may use such a model.
    let shown = || printable(&name, MAX_SHOWN_NAME);
    let model = model.ok_or_else(|| Refusal::ModelNotFound { model: shown() })?;
    Ok(answer::json(HttpResponse::Ok(), &object(state, model)))
}

async fn identify(request: &HttpRequest, context: &RequestContext) -> Result<Caller, ApiError> {
    let caller = context.identify(request.headers()).await?;
    context.state().admission.check_token(&caller).await?;
    Ok(caller)
}

fn object(state: &AppState, model: &Model) -> Value {
    json!({ "id": model.name, "object": "model", "created": 0, "owned_by": state.provider_name(model) })
}
