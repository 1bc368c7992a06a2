//! `GET /v1/models` and `GET /v1/models/{model}`: the models that this caller may use, as OpenAI lists them.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::admission::Refusal;
use crate::config::Model;
use crate::domain::text::printable;
use crate::http::error::ApiError;
use crate::http::middleware::request_log;
use crate::http::state::AppState;
use crate::http::{PinnedState, answer, preflight};
use crate::identity::Caller;

/// The maximum length of a model name in an error, in characters.
const MAX_SHOWN_NAME: usize = 128;

/// Lists all models of the caller.
pub(in crate::http) async fn list(request: HttpRequest, house: PinnedState) -> Result<HttpResponse, ApiError> {
    let caller = known(&request, &house).await?;
    let data: Vec<_> = house.admission.models(&caller)?.map(|model| object(&house, model)).collect();
    Ok(answer::json(HttpResponse::Ok(), &json!({ "object": "list", "data": data })))
}

/// Returns one model by its name, which may contain slashes, percent-encoded or not.
pub(in crate::http) async fn retrieve(
    request: HttpRequest,
    name: Path<String>,
    house: PinnedState,
) -> Result<HttpResponse, ApiError> {
    let caller = known(&request, &house).await?;
    let model = house.admission.models(&caller)?.find(|model| model.name == *name);
    // The error must not reveal that others may use such a model.
    let shown = || printable(&name, MAX_SHOWN_NAME);
    let model = model.ok_or_else(|| Refusal::ModelNotFound { model: shown() })?;
    Ok(answer::json(HttpResponse::Ok(), &object(&house, model)))
}

async fn known(request: &HttpRequest, house: &PinnedState) -> Result<Caller, ApiError> {
    let record = request_log::of(request);
    let caller = preflight::identify(house, request.headers(), &record.trace()).await?;
    record.caller(&caller);
    house.admission.check_token(&caller).await?;
    Ok(caller)
}

fn object(house: &AppState, model: &Model) -> Value {
    json!({ "id": model.name, "object": "model", "created": 0, "owned_by": house.provider_name(model) })
}
