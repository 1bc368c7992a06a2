//! A transcript, and how much audio it is of.

use serde::Deserialize;

use super::heard::Heard;
use crate::domain::AudioMs;

/// A transcript in the format that was asked for.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) heard: Heard,
    /// The length of the recording, if the answer says it.
    pub(super) audio: Option<AudioMs>,
}

/// The members of an answer or of its last event that say how long the recording is, in seconds.
#[derive(Deserialize)]
struct Lengths {
    duration: Option<f64>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    seconds: Option<f64>,
}

/// Reads how much audio a JSON answer says that it is of.
pub(super) fn audio_of(json: &[u8]) -> Option<AudioMs> {
    let Lengths { duration, usage } = serde_json::from_slice(json).ok()?;
    let seconds = duration.or_else(|| usage?.seconds)?;
    let length = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    Some(AudioMs::new(u64::try_from(length.as_millis()).ok()?))
}
