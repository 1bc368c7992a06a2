//! The JSON and the raw body form. Both yield text fields and one spooled recording, like OpenAI's form in
//! [`multipart`](super::multipart).

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, pin_mut};
use serde_json::{Map, Value};

use super::fields::Fields;
use super::json::Sieve;
use super::recording::{IntakeContext, Recording};
use super::{BodyForm, HeldSpool, IntakeError};

/// The fields and the recording of one request.
pub(super) struct Parts {
    pub(super) fields: Vec<(String, String)>,
    pub(super) audio: HeldSpool,
}

/// Reads options like those of OpenAI's form as members of a JSON object, and decodes the base64 audio as it arrives.
pub(super) async fn json<S>(table: &IntakeContext<'_>, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let settings = table.settings;
    // The limit covers the options with their names and punctuation, and references, which are `data:` URLs among them.
    let room = settings.max_text_bytes + settings.max_reference_bytes * 4 + settings.max_fields * 256;
    let mut sieve = Sieve::new(room);
    let expected = table.declared.map(|declared| BodyForm::Json.audio_bytes(declared).min(settings.max_audio_bytes));
    let mut recording = Recording::new(table, expected)?;
    let mut decoded = Vec::new();
    pin_mut!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| IntakeError::from_payload(&error, settings.max_audio_bytes))?;
        sieve.push(&chunk, &mut decoded)?;
        recording.append(&decoded).await?;
        decoded.clear();
    }
    let members = sieve.finish()?;
    let mut fields = Fields::new(settings);
    for (name, value) in without_audio(members) {
        flatten(name, value, &mut fields)?;
    }
    Ok(Parts { fields: fields.into_pairs(), audio: recording.finish() })
}

/// Drops the members that describe the audio: the format is detected from the content.
fn without_audio(members: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "audio" | "input_audio" | "filename"))
}

/// Writes a JSON value as form fields: `name`, `name[]` for each item, `name[member]` for each member.
fn flatten(name: String, value: Value, fields: &mut Fields) -> Result<(), IntakeError> {
    match value {
        Value::Null => fields.visit(&name),
        Value::Bool(flag) => fields.add(name, flag.to_string()),
        Value::Number(number) => fields.add(name, number.to_string()),
        Value::String(text) => fields.add(name, text),
        Value::Array(items) => {
            fields.visit(&name)?;
            items.into_iter().try_for_each(|item| flatten(format!("{name}[]"), item, fields))
        }
        Value::Object(members) => {
            fields.visit(&name)?;
            members.into_iter().try_for_each(|(member, value)| flatten(format!("{name}[{member}]"), value, fields))
        }
    }
}

/// Reads a body that is the recording, and a query that holds the options.
pub(super) async fn raw<S>(table: &IntakeContext<'_>, query: &str, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let settings = table.settings;
    let mut fields = Fields::new(settings);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        fields.add(name.into_owned(), value.into_owned())?;
    }
    let mut recording = Recording::new(table, table.declared)?;
    pin_mut!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| IntakeError::from_payload(&error, settings.max_audio_bytes))?;
        recording.append(&chunk).await?;
        table.publish_early(BodyForm::Raw, || fields.pairs().to_vec(), &recording);
    }
    Ok(Parts { fields: fields.into_pairs(), audio: recording.finish() })
}
