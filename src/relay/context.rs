//! The context for relaying an answer.

use crate::config;
use crate::domain::terms::Format;
use crate::exchange::Exchange;
use crate::split::TranscriptError;

/// The context for relaying an answer.
pub struct RelayContext<'a> {
    /// True if the client asked for events.
    pub events: bool,
    /// The format that the client asked for.
    pub format: Format,
    /// The settings in `[relay]`.
    pub settings: &'a config::Relay,
    /// The function that writes an error in the middle of a stream: OpenAI's JSON.
    pub describe: fn(&TranscriptError) -> String,
    /// The exchange that the answer belongs to.
    pub exchange: Exchange,
}
