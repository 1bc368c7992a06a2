//! OpenAI's own form of a request. Parts may come in any order: the official SDKs send `model` before or after `file`.

mod sieve;
#[cfg(test)]
mod tests;

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use mime::{BOUNDARY, Mime};

use super::IntakeError;
use super::fields::Fields;
use super::forms::Parts;
use super::recording::{Recording, Table};
use crate::config;
use sieve::Sieve;

/// Takes a form apart.
pub(super) async fn multipart<S>(table: &Table<'_>, headers: &HeaderMap, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let settings = table.settings;
    let wrong = |error| IntakeError::of_multipart(&error, settings.max_audio_bytes);
    let sieve = Sieve::new(body, &boundary(headers));
    let mut form = Multipart::new(headers, sieve.feed());
    let mut fields = Fields::new(settings);
    let mut audio = None;
    while let Some(part) = sieve.parsed(form.next()).await {
        let mut part = part.map_err(wrong)?;
        // A part that states its own length ends there for the parser, which therefore has to see all of it.
        if part.headers().contains_key(&CONTENT_LENGTH) {
            sieve.through();
        }
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            if audio.is_some() {
                return Err(IntakeError::SecondFile);
            }
            audio = Some(recording(table, &sieve, &mut part, &fields).await?);
        } else {
            sieve.text();
            let value = sieve.parsed(text_of(&mut part, &name, &fields, settings)).await?;
            fields.add(name, value)?;
        }
        sieve.head();
    }
    Ok(Parts { fields: fields.into_pairs(), audio: audio.ok_or(IntakeError::NoFile)?.finish() })
}

/// Spools the recording, and offers it to be forwarded while it is arriving where it seems to be the last part and its
/// model is known.
async fn recording<S>(
    table: &Table<'_>,
    sieve: &Sieve<S>,
    part: &mut Field,
    fields: &Fields,
) -> Result<Recording, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let most = table.settings.max_audio_bytes;
    let expected = table.declared.filter(|_| !sieve.is_through()).and_then(|declared| sieve.expected(declared));
    // It is smaller by the fields that follow it, if any do.
    let expected = expected.filter(|&bytes| bytes <= most);
    let mut recording = Recording::new(table, expected)?;
    if sieve.is_through() {
        while let Some(chunk) = part.next().await {
            recording.append(&chunk.map_err(|error| IntakeError::of_multipart(&error, most))?).await?;
        }
        return Ok(recording);
    }
    while let Some(chunk) = sieve.recording().await {
        recording.append(&chunk.map_err(|error| IntakeError::of_payload(&error, most))?).await?;
        if fields.has("model") {
            table.offer(|| fields.pairs().to_vec(), &recording);
        }
    }
    // Nothing of the part is left for the parser but its end, which may be missing.
    match sieve.parsed(part.next()).await {
        Some(Err(error)) => Err(IntakeError::of_multipart(&error, most)),
        _ => Ok(recording),
    }
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

/// The boundary that the parser will go by; where there is none, it says so.
fn boundary(headers: &HeaderMap) -> String {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.parse::<Mime>().ok());
    content_type.and_then(|kind| kind.get_param(BOUNDARY).map(|name| name.as_str().to_owned())).unwrap_or_default()
}
