//! How long an Opus packet plays, by its first bytes (RFC 6716 §3.1 and §3.2).

use std::time::Duration;

/// No packet holds more than 120 ms (RFC 6716 §3.2.5, requirement R5); a decoder refuses one that claims to.
const LONGEST: Duration = Duration::from_millis(120);

/// The length of `packet`; nothing for an empty one, and for a count that is missing.
pub(super) fn duration(packet: &[u8]) -> Duration {
    let Some((&toc, rest)) = packet.split_first() else { return Duration::ZERO };
    // The modes by configuration number: SILK up to 11, hybrid up to 15, then CELT.
    let frame_micros = match (toc >> 3, toc >> 3 & 0b11) {
        (0..16, 0) | (12.., 2) => 10_000,
        (0..16, 1) | (12.., 3) => 20_000,
        (0..12, 2) => 40_000,
        (0..12, _) => 60_000,
        (_, 0) => 2_500,
        (_, _) => 5_000,
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
            (&[0b0100_1000][..], 20_000),
            (&[0b0001_1000], 60_000),
            (&[0b0110_1001], 40_000),
            (&[0b1111_1011, 3], 60_000),
            (&[0b1000_0011, 48], 120_000),
            (&[0b1111_1011, 0b1000_0010], 40_000),
            (&[0b0001_1011, 63], 120_000),
            (&[0b1111_1011], 0),
            (&[], 0),
        ] {
            assert_eq!(duration(packet).as_micros(), micros, "{packet:x?}");
        }
    }
}
