//! The form of the sound on standard input.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// The time of sound that waits for the gateway before no more is read.
const MAX_WAITING: Duration = Duration::from_mins(10);
/// The same in bytes for a recording in a container, whose times are not known here: ten minutes of 450 kbit/s.
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;
const BYTES_PER_SAMPLE: u64 = 2;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The form of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SoundFormat {
    /// 16-bit PCM, little-endian: any part of it is sound.
    Pcm {
        /// The number of samples a second.
        rate: u32,
        /// The number of channels.
        channels: u16,
    },
    /// A recording in a container, of which only the first part has a header.
    Container,
}

impl SoundFormat {
    /// Returns the members of the request for a session.
    pub(super) fn members(self) -> Map<String, Value> {
        let members = match self {
            Self::Pcm { rate, channels } => {
                json!({ "audio_format": "pcm16", "sample_rate": rate, "channels": channels })
            }
            Self::Container => json!({ "audio_format": "auto" }),
        };
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// Returns the number of bytes of one sample of all channels: pieces are cut between them.
    pub(super) fn frame(self) -> usize {
        match self {
            Self::Pcm { channels, .. } => usize::from(channels) * 2,
            Self::Container => 1,
        }
    }

    /// Returns the largest number of bytes that wait for the gateway.
    pub(super) fn max_waiting(self) -> usize {
        self.bytes_of(MAX_WAITING).and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(MAX_WAITING_BYTES)
    }

    /// Returns the number of bytes of so much sound, in whole samples; `None` for a container.
    pub(super) fn bytes_of(self, time: Duration) -> Option<u64> {
        let Self::Pcm { rate, channels } = self else { return None };
        let frames = time.as_nanos().saturating_mul(u128::from(rate)) / NANOS_PER_SECOND;
        let frames = u64::try_from(frames).unwrap_or(u64::MAX);
        Some(frames.saturating_mul(BYTES_PER_SAMPLE * u64::from(channels)))
    }

    /// Returns the time of so many bytes; zero for a container.
    pub(super) fn time_of(self, bytes: u64) -> Duration {
        let Self::Pcm { rate, channels } = self else { return Duration::ZERO };
        let frames = u128::from(bytes / (BYTES_PER_SAMPLE * u64::from(channels)).max(1));
        let nanos = frames.saturating_mul(NANOS_PER_SECOND) / u128::from(rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_bytes_of_pcm_are_whole_samples() {
        let stereo = SoundFormat::Pcm { rate: 44_100, channels: 2 };
        assert_eq!(stereo.bytes_of(Duration::from_secs(1)), Some(176_400));
        assert_eq!(stereo.bytes_of(Duration::from_micros(50)), Some(8));
        assert_eq!(stereo.time_of(176_403), Duration::from_secs(1));
        assert_eq!(stereo.max_waiting(), 600 * 176_400);
        assert_eq!(SoundFormat::Container.bytes_of(Duration::from_secs(1)), None);
    }
}
