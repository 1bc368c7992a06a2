//! `GET /v1/models` and `GET /v1/models/{model}`: the models that this caller may use, as OpenAI lists them, and in
//! `voxgate` what each of them can do.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::admission::Refusal;
use crate::config::{Model, Plan, Speech};
use crate::domain::terms::Timestamps;
use crate::domain::text::printable;
use crate::domain::{AudioMs, OptionName};
use crate::http::answer;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::identity::Caller;
use crate::models::formats_of;

/// The maximum length of a model name in an error, in characters.
const MAX_SHOWN_NAME: usize = 128;

/// Lists all models of the caller.
pub(in crate::http) async fn list(request: HttpRequest, context: RequestContext) -> Result<HttpResponse, ApiError> {
    let (caller, state) = (identify(&request, &context).await?, context.state());
    let plan = state.admission.plan(&caller)?;
    let data: Vec<_> = state.admission.models(&caller)?.map(|model| object(state, plan, model)).collect();
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
    Ok(answer::json(HttpResponse::Ok(), &object(state, state.admission.plan(&caller)?, model)))
}

async fn identify(request: &HttpRequest, context: &RequestContext) -> Result<Caller, ApiError> {
    let caller = context.identify(request.headers()).await?;
    context.state().admission.check_token(&caller).await?;
    Ok(caller)
}

fn object(state: &AppState, plan: &Plan, model: &Model) -> Value {
    json!({
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": state.provider_name(model),
        "voxgate": abilities(model, plan, &state.settings.speech),
    })
}

/// Describes what a caller of `plan` can ask of `model`, by its entry in the settings.
fn abilities(model: &Model, plan: &Plan, speech: &Speech) -> Value {
    let tasks: Vec<_> = model.tasks.iter().map(|task| task.as_str()).collect();
    let formats: Vec<_> = formats_of(model, speech).iter().map(|format| format.as_str()).collect();
    let is_taken = |option: &&OptionName| {
        option.depends_on_model() && model.options.as_ref().is_none_or(|options| options.contains(*option))
    };
    let options: Vec<_> = OptionName::ALL.iter().filter(is_taken).map(|option| option.as_str()).collect();
    // Without splitting, nobody gives an answer the times of pieces.
    let timestamps = match model.timestamps {
        Timestamps::Pieces if !speech.split => Timestamps::None,
        timestamps => timestamps,
    };
    json!({
        "tasks": tasks,
        "formats": formats,
        "options": options,
        "streams": model.streams,
        "timestamps": timestamps.as_str(),
        "live": model.live.as_str(),
        "max_seconds": longest_recording(model, plan, speech).get() / 1000,
        "usd_per_minute": model.price.map(|price| price.per_minute),
    })
}

/// Returns the longest recording that a caller of `plan` can send to `model`. Where recordings are split, a longer one than
/// the model takes goes in pieces.
fn longest_recording(model: &Model, plan: &Plan, speech: &Speech) -> AudioMs {
    let of_model = model.max_audio.filter(|_| !speech.split);
    let limits = [of_model, plan.max_recording, plan.audio.map(|rate| rate.burst)];
    limits.into_iter().flatten().fold(speech.max_recording, AudioMs::min)
}
