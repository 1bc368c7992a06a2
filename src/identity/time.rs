//! Time as tokens have it: whole seconds since 1970 (`NumericDate`, RFC 7519 §2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The end of the year 9999. A later time is milliseconds taken for seconds: such a token would hardly ever expire.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;

/// Returns the time of the system's clock. A clock that is set before 1970 counts as 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Formats `seconds` as a date and time: `2026-11-23T10:00:00Z`.
pub(super) fn utc(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.min(LAST_SECOND))).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string()
}
