//! Checks of a job against a model's entry. The provider decides on all that the entry leaves open.

use super::piece_plan::{PiecePlan, longest_piece, takes};
use super::unfit::Unfit;
use super::way::{Reason, Way};
use crate::config::{Model, Speech};
use crate::domain::terms::{Format, Timestamps};
use crate::domain::text::alternatives;
use crate::domain::{FileFormat, OptionName};
use crate::intake::Job;

/// The file formats that a recording may have only because the gateway can encode it anew.
const ONLY_ENCODED: [FileFormat; 2] = [FileFormat::Aiff, FileFormat::Caf];

/// Returns the way of a job to a model: the least that lets the model do it.
pub(crate) fn choose_way(job: &Job, model: &Model, speech: &Speech) -> Result<Way, Unfit> {
    check_request(job, model, speech)?;
    let Some(reason) = reason(job, model, speech) else { return Ok(Way::AsIs) };
    let is_encoding_enough = matches!(reason, Reason::TooLarge | Reason::FileFormat);
    let way = if is_encoding_enough && job.media.length.upper_bound() <= longest_piece(model) {
        Way::Convert(reason)
    } else {
        Way::Split(reason)
    };
    match plan_pieces(job, model, way, speech) {
        Some(_) => Ok(way),
        None => Err(why_unfit(job, model, reason)),
    }
}

/// Returns the plan for the pieces of a job that goes to `model` by `way`; `None` if there can be no pieces.
pub(crate) fn plan_pieces(job: &Job, model: &Model, way: Way, speech: &Speech) -> Option<PiecePlan> {
    let may_be_cut = speech.split && way != Way::AsIs;
    may_be_cut.then(|| PiecePlan::for_model(model, way, job.options.format(), speech))?
}

/// Returns true if `model` can do the pieces of a job as `requested` does, in the same format and with times from the same
/// source.
pub(crate) fn does_pieces(job: &Job, model: &Model, requested: &Model, plan: PiecePlan, speech: &Speech) -> bool {
    let has_same_times = !job.options.format().is_timed() || model.timestamps == requested.timestamps;
    has_same_times && plan.suits(model) && check_request(job, model, speech).is_ok()
}

/// Checks all that does not depend on the sound, and that the recording is long enough.
fn check_request(job: &Job, model: &Model, speech: &Speech) -> Result<(), Unfit> {
    let name = || model.name.clone();
    if !model.tasks.contains(&job.task) {
        return Err(Unfit::Task { model: name(), task: job.task });
    }
    if !gives(model, job.options.format(), speech) {
        return Err(wrong_format(job, model, speech));
    }
    if let Some(options) = &model.options
        && let Some(option) = job.options.given().find(|option| !options.contains(option))
        && !(option == OptionName::TimestampGranularities && segments_are_pieces(job, model, speech))
    {
        return Err(Unfit::Option { model: name(), option });
    }
    // Only a measured length can refuse a job; a bound derived from the size cannot.
    match (job.media.length.measured(), model.min_audio) {
        (Some(length), Some(min_audio)) if length < min_audio => {
            Err(Unfit::TooShort { model: name(), length, min_audio })
        }
        _ => Ok(()),
    }
}

/// Returns the reason why the recording cannot go to `model` as it is.
fn reason(job: &Job, model: &Model, speech: &Speech) -> Option<Reason> {
    let (format, length) = (job.media.file_format(), job.media.length.measured());
    // A provider that does not list a format may take it all the same, so where nothing can be done, it decides.
    let is_encoded = speech.split || ONLY_ENCODED.contains(&format);
    if times_are_of_pieces(model, job.options.format(), speech) {
        Some(Reason::Timestamps)
    } else if length.zip(model.max_audio).is_some_and(|(length, max)| length > max) {
        Some(Reason::TooLong)
    } else if is_encoded && !takes(model, format) {
        Some(Reason::FileFormat)
    } else if model.max_bytes.is_some_and(|max| job.media.bytes > max) {
        Some(Reason::TooLarge)
    } else {
        None
    }
}

/// Returns the error for a recording that cannot go to `model` as it is for this reason.
fn why_unfit(job: &Job, model: &Model, reason: Reason) -> Unfit {
    let name = model.name.clone();
    match reason {
        Reason::Timestamps => {
            let allowed = alternatives(model.formats.as_deref().unwrap_or(&[Format::Json, Format::Text]), '\'');
            Unfit::Format { model: name, format: job.options.format(), allowed }
        }
        Reason::TooLong => Unfit::TooLong {
            model: name,
            length: job.media.length.upper_bound(),
            max_audio: model.max_audio.unwrap_or_else(|| longest_piece(model)),
        },
        Reason::FileFormat => {
            let accepted: Vec<_> = model.accepts.iter().flatten().copied().collect();
            let allowed = alternatives(&accepted, '\'');
            Unfit::FileFormat { model: name, format: job.media.file_format(), allowed }
        }
        Reason::TooLarge => {
            let bytes = job.media.bytes;
            Unfit::TooLarge { model: name, bytes, max_bytes: model.max_bytes.unwrap_or(bytes) }
        }
    }
}

/// Returns the formats that answers of `model` can have, those with times of pieces included.
pub fn formats_of(model: &Model, speech: &Speech) -> Vec<Format> {
    Format::ALL.iter().copied().filter(|format| gives(model, *format, speech)).collect()
}

/// Returns true if answers of `model` can have this format.
fn gives(model: &Model, format: Format, speech: &Speech) -> bool {
    let is_listed = model.formats.as_ref().is_none_or(|formats| formats.contains(&format));
    match model.timestamps {
        Timestamps::None => is_listed && !format.is_timed(),
        Timestamps::Model | Timestamps::Pieces => is_listed || times_are_of_pieces(model, format, speech),
    }
}

/// Returns true if the answer needs times that only the pieces of the recording give.
fn times_are_of_pieces(model: &Model, format: Format, speech: &Speech) -> bool {
    speech.split && format.is_timed() && model.timestamps == Timestamps::Pieces
}

/// Returns true if the job asks for the times of segments alone, and those are the pieces'.
fn segments_are_pieces(job: &Job, model: &Model, speech: &Speech) -> bool {
    times_are_of_pieces(model, job.options.format(), speech)
        && job.options.granularities.iter().all(|granularity| granularity == "segment")
}

fn wrong_format(job: &Job, model: &Model, speech: &Speech) -> Unfit {
    let allowed = alternatives(&formats_of(model, speech), '\'');
    Unfit::Format { model: model.name.clone(), format: job.options.format(), allowed }
}
