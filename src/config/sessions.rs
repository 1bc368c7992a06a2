//! `[sessions]`: limits of the sessions that callers open for others.

use std::num::NonZeroU32;

use super::reader::Section;

const DEFAULT_MAX_OPEN: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);
/// The largest value of `sessions.max_open`: some 400 MB of sessions in the store.
const LARGEST_MAX_OPEN: u64 = 1_000_000;

/// `[sessions]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// `sessions.max_open`: the largest number of sessions that one caller may have open, 1 to 1000000; 10000.
    pub max_open: NonZeroU32,
}

impl Sessions {
    pub(super) fn read(mut section: Section) -> Self {
        let given = section.ranged("max_open", 1..=LARGEST_MAX_OPEN);
        section.finish();
        let max_open = given.and_then(|count| u32::try_from(count).ok()).and_then(NonZeroU32::new);
        Self { max_open: max_open.unwrap_or(DEFAULT_MAX_OPEN) }
    }
}
