//! The three body forms, each taken apart into the same two things: text fields and one spooled recording.

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, pin_mut};
use serde_json::{Map, Value};

use super::fields::Fields;
use super::json::Sieve;
use super::{IntakeError, Spool, SpoolWriter};
use crate::config;

/// A request taken apart.
pub(super) struct Parts {
    pub(super) fields: Vec<(String, String)>,
    pub(super) audio: Spool,
}

/// OpenAI's own form. Parts may come in any order: the official SDKs send `model` before or after `file`.
pub(super) async fn multipart<S>(settings: &config::Intake, headers: &HeaderMap, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + 'static,
{
    let wrong = |error| IntakeError::of_multipart(&error, settings.max_audio_bytes);
    let mut form = Multipart::new(headers, body);
    let mut fields = Fields::new(settings);
    let mut audio = None;
    while let Some(part) = form.next().await {
        let mut part = part.map_err(wrong)?;
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            if audio.is_some() {
                return Err(IntakeError::SecondFile);
            }
            let mut recording = Recording::new(settings);
            while let Some(chunk) = part.next().await {
                recording.append(&chunk.map_err(wrong)?).await?;
            }
            audio = Some(recording.finish().await?);
        } else {
            let value = text_of(&mut part, &name, &fields, settings).await?;
            fields.add(name, value)?;
        }
    }
    Ok(Parts { fields: fields.into_pairs(), audio: audio.ok_or(IntakeError::NoFile)? })
}

async fn text_of(
    part: &mut Field,
    name: &str,
    fields: &Fields,
    settings: &config::Intake,
) -> Result<String, IntakeError> {
    let room = fields.room_for(name);
    let mut value = Vec::new();
    while let Some(chunk) = part.next().await {
        value.extend_from_slice(&chunk.map_err(|error| IntakeError::of_multipart(&error, settings.max_audio_bytes))?);
        if value.len() > room {
            return Err(fields.too_large(name));
        }
    }
    String::from_utf8(value).map_err(|_| IntakeError::NotText { name: name.to_owned() })
}

/// The same options as members of a JSON object, with the audio in base64, which is decoded as it arrives.
pub(super) async fn json<S>(settings: &config::Intake, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    // The options with their names and punctuation; references are data URLs among them.
    let room = settings.max_text_bytes + settings.max_reference_bytes * 4 + settings.max_fields * 256;
    let mut sieve = Sieve::new(room);
    let mut recording = Recording::new(settings);
    let mut decoded = Vec::new();
    pin_mut!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| IntakeError::of_payload(&error, settings.max_audio_bytes))?;
        sieve.push(&chunk, &mut decoded)?;
        recording.append(&decoded).await?;
        decoded.clear();
    }
    let members = sieve.finish()?;
    let mut fields = Fields::new(settings);
    for (name, value) in without_audio(members) {
        flatten(name, value, &mut fields)?;
    }
    Ok(Parts { fields: fields.into_pairs(), audio: recording.finish().await? })
}

/// The members that describe the audio are left out: the content itself says what it is.
fn without_audio(members: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "audio" | "input_audio" | "filename"))
}

/// Writes a JSON value as the fields of a form: `name`, `name[]` for each item, `name[member]` for each member.
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

/// The body is the recording and the query holds the options.
pub(super) async fn raw<S>(settings: &config::Intake, query: &str, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let mut fields = Fields::new(settings);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        fields.add(name.into_owned(), value.into_owned())?;
    }
    let mut recording = Recording::new(settings);
    pin_mut!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| IntakeError::of_payload(&error, settings.max_audio_bytes))?;
        recording.append(&chunk).await?;
    }
    Ok(Parts { fields: fields.into_pairs(), audio: recording.finish().await? })
}

/// A spool that is held to the largest recording.
struct Recording {
    spool: SpoolWriter,
    allowed: u64,
}

impl Recording {
    fn new(settings: &config::Intake) -> Self {
        let spool = SpoolWriter::new(settings.spool_memory_bytes, &settings.spool_dir);
        Self { spool, allowed: settings.max_audio_bytes }
    }

    async fn append(&mut self, chunk: &[u8]) -> Result<(), IntakeError> {
        let more = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if self.spool.length().saturating_add(more) > self.allowed {
            return Err(IntakeError::TooLarge { allowed: self.allowed });
        }
        Ok(self.spool.append(chunk).await?)
    }

    async fn finish(self) -> Result<Spool, IntakeError> {
        Ok(self.spool.finish().await?)
    }
}
