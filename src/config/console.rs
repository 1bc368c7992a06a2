//! `[console]`: the page that the gateway serves for a first try.

use super::reader::Section;

/// `[console]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// True if `GET /` serves the page; true.
    pub enabled: bool,
}

impl Console {
    pub(super) fn read(mut section: Section) -> Self {
        let enabled = section.value("enabled", true);
        section.finish();
        Self { enabled }
    }
}
