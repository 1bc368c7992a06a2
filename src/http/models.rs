//! `GET /v1/models`: what this caller may use, as OpenAI lists it.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::error::ApiError;
use super::{InForce, gate, record};

pub(super) async fn list(request: HttpRequest, house: InForce) -> Result<HttpResponse, ApiError> {
    let record = record::of(&request);
    let caller = gate::identify(&house, request.headers(), &record.trace()).await?;
    record.caller(&caller);
    house.admission.check_token(&caller).await?;
    let models = house.admission.models(&caller)?;
    let data: Vec<_> = models
        .map(|model| {
            let owner = house.provider_name(model);
            json!({ "id": model.name, "object": "model", "created": 0, "owned_by": owner })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": data })))
}
