//! `[sandbox]`: the behaviour of the provider in this process.

use std::time::Duration;

use super::reader::Section;

/// `[sandbox]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// The pause before each event of a stream, so that the streaming is visible; 120ms. A stream takes five seconds at
    /// most, whatever this setting is.
    pub event_delay: Duration,
}

impl Sandbox {
    pub(super) fn read(mut section: Section) -> Self {
        let event_delay = section.value("event_delay", Duration::from_millis(120));
        section.finish();
        Self { event_delay }
    }
}
