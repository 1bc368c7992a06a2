//! Time stamps of subtitles.

use std::fmt::Write as _;

use crate::domain::AudioMs;

/// A time stamp such as `00:01:02,345` or, in `WebVTT`, `01:02.345`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The time.
    pub(super) time: AudioMs,
    /// True if the hours are written, even if there are none.
    pub(super) hours: bool,
}

impl Stamp {
    /// Parses a stamp; either sign may stand before the milliseconds.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (clock, ms) = text.split_once([',', '.'])?;
        let ms = digits(ms, 3)?;
        let mut parts = clock.rsplit(':');
        let (seconds, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let hours = parts.next();
        let total = hours.map_or(Some(0), |hours| digits(hours, 6))? * 3600 + minutes * 60 + seconds;
        parts.next().is_none().then_some(Self { time: AudioMs::new(total * 1000 + ms), hours: hours.is_some() })
    }

    /// Appends the stamp to `text`, with `point` before the milliseconds.
    pub(super) fn write(self, point: char, text: &mut String) {
        let (seconds, ms) = (self.time.get() / 1000, self.time.get() % 1000);
        let hours = seconds / 3600;
        // Writing to a string never fails.
        if self.hours || hours > 0 {
            let _ = write!(text, "{hours:02}:");
        }
        let _ = write!(text, "{:02}:{:02}{point}{ms:03}", seconds / 60 % 60, seconds % 60);
    }
}

fn digits(text: &str, max: usize) -> Option<u64> {
    let is_number = (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_and_written_alike() {
        for (text, ms) in
            [("00:00:00,000", 0), ("00:01:02,345", 62_345), ("01:02,345", 62_345), ("101:00:00,001", 363_600_001)]
        {
            let stamp = Stamp::parse(text).unwrap();
            assert_eq!(stamp.time, AudioMs::new(ms), "{text}");
            let mut written = String::new();
            stamp.write(',', &mut written);
            assert_eq!(written, text);
        }
        let minutes = Stamp { time: AudioMs::new(3_600_000), hours: false };
        let mut written = String::new();
        minutes.write('.', &mut written);
        assert_eq!(written, "01:00:00.000");
    }

    #[test]
    fn other_texts_are_no_stamps() {
        for text in
            ["", "1", "00:00", ",5", "0:0:0:0,0", "a:00,000", "00:00,0000", "+1:00,000", "00:00,", "1111111:00:00.0"]
        {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }
}
