//! Points in time and the months of budgets, all in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use time::{Date, UtcDateTime};

/// A point in time, in whole milliseconds since 1970. Its JSON form is that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct UnixMs(u64);

/// The end of the year 9999, the last in the calendar.
const LAST: u64 = 253_402_300_799_999;

impl UnixMs {
    /// Makes a time `ms` milliseconds after the start of 1970, and at most the end of the year 9999.
    pub const fn new(ms: u64) -> Self {
        Self(if ms > LAST { LAST } else { ms })
    }

    /// Returns the time of the system's clock; a time before 1970 counts as 1970.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::new(u64::try_from(since.as_millis()).unwrap_or(LAST))
    }

    /// Returns the milliseconds since 1970.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the time `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self::new(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(LAST)))
    }

    /// Returns the time `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(LAST)))
    }

    /// Returns its day: `2026-11-24`.
    pub fn day(self) -> String {
        let date = self.calendar();
        format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }

    fn calendar(self) -> Date {
        let seconds = i64::try_from(self.0 / 1000).unwrap_or_default();
        UtcDateTime::from_unix_timestamp(seconds).unwrap_or(UtcDateTime::UNIX_EPOCH).date()
    }
}

/// Writes `2026-11-24T21:13:24.125Z`.
impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH.checked_add(Duration::from_millis(self.0)).unwrap_or(UNIX_EPOCH);
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl From<u64> for UnixMs {
    fn from(ms: u64) -> Self {
        Self::new(ms)
    }
}

impl From<UnixMs> for u64 {
    fn from(time: UnixMs) -> Self {
        time.0
    }
}

/// A calendar month in UTC: `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: time::Month,
}

/// The error of a text that is not a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes a month such as 2026-11")]
pub struct MonthError;

impl Month {
    /// Returns the month that contains `time`.
    pub fn of(time: UnixMs) -> Self {
        let date = time.calendar();
        Self { year: date.year(), month: date.month() }
    }

    /// Returns its first moment.
    pub fn start(self) -> UnixMs {
        let first = Date::from_calendar_date(self.year, self.month, 1).ok();
        let seconds = first.map_or(0, |date| date.midnight().assume_utc().unix_timestamp());
        UnixMs::new(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000))
    }

    /// Returns the next month.
    #[must_use]
    pub fn next(self) -> Self {
        let year = if self.month == time::Month::December { self.year.saturating_add(1) } else { self.year };
        Self { year, month: self.month.next() }
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(MonthError);
        }
        let year = year.parse().ok().filter(|year| (1970..9999).contains(year)).ok_or(MonthError)?;
        let month = month.parse::<u8>().ok().and_then(|month| time::Month::try_from(month).ok()).ok_or(MonthError)?;
        Ok(Self { year, month })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, u8::from(self.month))
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_in_its_month_and_day_by_utc() {
        // 2024-02-29T23:59:59.999Z and the millisecond after it.
        let leap = UnixMs::new(1_709_251_199_999);
        assert_eq!((leap.day().as_str(), Month::of(leap).to_string().as_str()), ("2024-02-29", "2024-02"));
        assert_eq!(Month::of(leap.plus(Duration::from_millis(1))).to_string(), "2024-03");
        assert_eq!(leap.to_string(), "2024-02-29T23:59:59.999Z");
    }

    #[test]
    fn a_month_begins_where_the_one_before_it_ends() {
        let december: Month = "2026-12".parse().unwrap();
        let january = december.next();
        assert_eq!(january.to_string(), "2027-01");
        assert_eq!(january.start().to_string(), "2027-01-01T00:00:00.000Z");
        assert_eq!(Month::of(january.start().minus(Duration::from_millis(1))), december);
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in ["", "2026", "2026-1", "2026-13", "2026-00", "26-11", "2026-11-01", "1969-12", "+026-11"] {
            assert_eq!(text.parse::<Month>(), Err(MonthError), "{text:?}");
        }
    }
}
