//! OpenAI's own form of a request. Parts may come in any order: the official SDKs send `model` before or after `file`.
//!
//! - `boundary`: the boundary between parts; `params`: headers and their parameters
//! - `sieve`: takes the recording out before the parser; `flow` follows the form, and rewrites it in plain form for the
//!   parser
//! - `head`: the header lines of a part; `text`: its bytes as text

mod boundary;
mod flow;
mod head;
mod params;
mod sieve;
#[cfg(test)]
mod tests;
mod text;

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::fields::{Fields, base_name};
use super::forms::Parts;
use super::option_error::OptionError;
use super::options::is_option;
use super::recording::{IntakeContext, Recording};
use super::{BodyForm, IntakeError};
use crate::config;
use crate::domain::text::printable;
use head::PartHead;
use sieve::Sieve;
use text::Texts;

/// The name of the recording's field in a form; `AUDIO_NAMES` lists the names under which a recording may come.
const FILE: &str = "file";
const AUDIO_NAMES: [&str; 3] = [FILE, "audio", "input_audio"];

/// The maximum number of characters of an unusual name in a message.
const MAX_SHOWN_NAME: usize = 40;

/// Reads the fields and the recording of a form.
pub(super) async fn multipart<S>(table: &IntakeContext<'_>, headers: &HeaderMap, body: S) -> Result<Parts, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let settings = table.settings;
    let wrong = |error| IntakeError::from_multipart(&error, settings.max_audio_bytes);
    let boundary = boundary::from_headers(headers)?;
    let sieve = Sieve::new(body, &boundary);
    let mut form = Multipart::new(&boundary::to_headers(&boundary), sieve.feed());
    let (mut fields, mut texts) = (Fields::new(settings), Texts::default());
    let mut audio = None;
    while let Some(part) = sieve.parsed(form.next()).await {
        let mut part = part.map_err(wrong)?;
        let head = sieve.part().map_err(|error| IntakeError::Multipart(error.to_string()))?;
        if head.name == FILE {
            if audio.is_some() {
                return Err(IntakeError::SecondFile);
            }
            audio = Some(recording(table, &sieve, &mut part, &fields).await?);
        } else {
            holds_no_recording(&head)?;
            sieve.text();
            let bytes = sieve.parsed(bytes_of(&mut part, &head.name, &fields, settings)).await?;
            texts.add(&mut fields, head.name, head.charset.as_deref(), bytes)?;
        }
        sieve.head();
    }
    sieve.epilogue().await.map_err(|error| IntakeError::from_payload(&error, settings.max_audio_bytes))?;
    // A field that is not text may be the missing recording, and its error says so.
    texts.finish(&mut fields)?;
    let audio = audio.ok_or(IntakeError::NoFile)?;
    Ok(Parts { fields: fields.into_pairs(), audio: audio.finish() })
}

/// Checks that a part not named `file` is text. The media type or file name identifies a recording before its bytes are
/// read as text. A page may give an option a file name too, if it appends a `Blob`.
fn holds_no_recording(head: &PartHead) -> Result<(), IntakeError> {
    let base = base_name(&head.name);
    let is_sound = ["audio/", "video/"].iter().any(|kind| head.media_type.starts_with(kind));
    let is_binary = is_sound || BodyForm::is_raw(&head.media_type);
    let is_text = head.media_type.starts_with("text/") || head.media_type == "application/json";
    let misplaced = if AUDIO_NAMES.iter().any(|name| base.eq_ignore_ascii_case(name)) {
        is_binary || head.has_file_name
    } else if is_option(base) {
        is_sound
    } else {
        is_binary || (head.has_file_name && !is_text)
    };
    if !misplaced {
        return Ok(());
    }
    if base == "known_speaker_references" {
        let (name, got) = ("known_speaker_references", "a file".to_owned());
        return Err(OptionError::Invalid { name, got, allowed: "Each is a data: URL of audio.".into() }.into());
    }
    let name = printable(&head.name, MAX_SHOWN_NAME);
    Err(IntakeError::MisplacedFile { name })
}

/// Spools the recording. Publishes it for early forwarding if it seems to be the last part and its model is known.
async fn recording<S>(
    table: &IntakeContext<'_>,
    sieve: &Sieve<S>,
    part: &mut Field,
    fields: &Fields,
) -> Result<Recording, IntakeError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let max_bytes = table.settings.max_audio_bytes;
    let expected = table.declared.and_then(|declared| sieve.expected(declared));
    // The recording is smaller than this by the fields that follow it, if any.
    let expected = expected.filter(|&bytes| bytes <= max_bytes);
    let mut recording = Recording::new(table, expected)?;
    while let Some(chunk) = sieve.recording().await {
        recording.append(&chunk.map_err(|error| IntakeError::from_payload(&error, max_bytes))?).await?;
        if fields.has("model") {
            table.publish_early(BodyForm::Multipart, || fields.pairs().to_vec(), &recording);
        }
    }
    // Only the end of the part is left for the parser, and it may be missing.
    match sieve.parsed(part.next()).await {
        Some(Err(error)) => Err(IntakeError::from_multipart(&error, max_bytes)),
        _ => Ok(recording),
    }
}

async fn bytes_of(
    part: &mut Field,
    name: &str,
    fields: &Fields,
    settings: &config::Intake,
) -> Result<Vec<u8>, IntakeError> {
    let room = fields.room_for(name);
    let mut value = Vec::new();
    while let Some(chunk) = part.next().await {
        value.extend_from_slice(&chunk.map_err(|error| IntakeError::from_multipart(&error, settings.max_audio_bytes))?);
        if value.len() > room {
            return Err(fields.too_large(name));
        }
    }
    Ok(value)
}
