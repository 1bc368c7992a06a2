//! How long an Opus packet plays, by its first bytes (RFC 6716 §3.1 and §3.2).

use std::time::Duration;

/// No packet holds more than 120 ms (RFC 6716 §3.2.5, requirement R5); a decoder refuses one that claims to.
const LONGEST: Duration = Duration::from_millis(120);

/// The length of `packet`; nothing for an empty one, and for a count that is missing.
pub(super) fn duration(packet: &[u8]) -> Duration {
    let Some((&toc, rest)) = packet.split_first() else { return Duration::ZERO };
    let frame_micros = match (toc >> 3, toc >> 3 & 0b11) {
        // SILK: 10, 20, 40 or 60 ms.
        (0..12, 0) => 10_000,
        (0..12, 1) => 20_000,
        (0..12, 2) => 40_000,
        (0..12, _) => 60_000,
        // Hybrid: 10 or 20 ms.
        (12..16, 0 | 2) => 10_000,
        (12..16, _) => 20_000,
        // CELT: 2.5, 5, 10 or 20 ms.
        (_, 0) => 2_500,
        (_, 1) => 5_000,
        (_, 2) => 10_000,
        (_, _) => 20_000,
    };
    let frames = match toc & 0b11 {
        0 => 1,
        1 | 2 => 2,
        _ => rest.first().map_or(0, |count| u64::from(count & 0b11_1111)),
    };
    Duration::from_micros(frame_micros * frames).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (packet, micros) in [
            (&[0b01001_0_00][..], 20_000),
            (&[0b00011_0_00], 60_000),
            (&[0b01101_0_01], 40_000),
            (&[0b11111_0_11, 3], 60_000),
            (&[0b10000_0_11, 48], 120_000),
            (&[0b11111_0_11, 0b1000_0010], 40_000),
            (&[0b00011_0_11, 63], 120_000),
            (&[0b11111_0_11], 0),
            (&[], 0),
        ] {
            assert_eq!(duration(packet).as_micros(), micros, "{packet:x?}");
        }
    }
}
