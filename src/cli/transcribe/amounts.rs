//! Lengths and sizes for people.

use std::time::Duration;

/// Formats a size such as `12.3 MB`.
pub(super) fn size(bytes: u64) -> String {
    let scaled = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", scaled(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", scaled(1_000_000)),
        _ => format!("{} GB", scaled(1_000_000_000)),
    }
}

/// Formats a length such as `1 h 2 min 30 s`.
pub(super) fn length(length: Duration) -> String {
    // A recording of half a second is not one of no length.
    let seconds = length.as_secs() + u64::from(length.subsec_millis() >= 500);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_right() {
        let sizes = [(7, "7 bytes"), (1_250, "1.2 kB"), (12_340_000, "12.3 MB"), (2_000_000_000, "2.0 GB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        for (ms, text) in [(2_800, "3 s"), (499, "0 s"), (750_000, "12 min 30 s"), (3_600_000, "1 h 0 min 0 s")] {
            assert_eq!(length(Duration::from_millis(ms)), text);
        }
    }
}
